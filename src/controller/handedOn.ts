/**
 * What of an EventSource's `template` its Pods are given: nothing that decides which code runs. Variables that the author may not set are left out. Those of
 * which the names are not known here (`envFrom`), and those that must not count before the process runs, are set under another name, see
 * {@link HELD_BACK}: nothing before our first line looks at them, and that one takes what it may have (pod/variables.ts).
 */
import { mountRefused } from '../manifest/podMounts.ts'
import { HELD_BACK, isLater, variableRefused } from '../manifest/podVariables.ts'
import { templateLimits } from '../manifest/templateLimits.ts'
import { pathText } from '../manifest/tree.ts'
import { type Condition, warning } from './conditions.ts'
import { list } from './template.ts'

/** What of the template the Pods are not given, for people. Names in `envFrom` are not known here: the Pod's log has those. */
export function limitTexts(template: unknown): string[] {
  return templateLimits(template).map(({ path, message, remedy }) => `${pathText(path)}: ${message} (${remedy})`)
}

/** The same as a warning in the status. */
export function limitsWarning(template: unknown): Condition | null {
  const texts = limitTexts(template)
  if (texts.length === 0) return null
  const more = texts.length > SAID ? `; and ${texts.length - SAID} more` : ''
  return warning('TemplateLimited', 'SteersTheRuntime', `${texts.slice(0, SAID).join('; ')}${more}`)
}
const SAID = 10

type Template = Record<string, any>
type Container = Record<string, any>

export function handedOn(template: Template | undefined): Template | undefined {
  if (template?.container == null) return template
  const { env, envFrom, volumeMounts } = template.container as Container
  const mounts = list(volumeMounts)
  const allowed = mounts.filter((mount) => mountRefused(mount, mounts, list(template.volumes)) === null)
  const names = namesOf(env, envFrom)
  return {
    ...template,
    container: {
      ...template.container,
      env: variables(env, envFrom),
      envFrom: list(envFrom).map((from) => ({ ...from, prefix: `${HELD_BACK}${from?.prefix ?? ''}` })),
      volumeMounts: allowed.map((mount) =>
        typeof mount?.subPathExpr === 'string' ? { ...mount, subPathExpr: renamed(mount.subPathExpr, names) } : mount,
      ),
    },
  }
}

/**
 * The same of a container that was made already, perhaps by a version that gave on what it was told, or by Argo Events' controller.
 * @param ours the names of the variables that the controller sets, of which the last counts
 */
export function handedOnAgain(container: Container, ours: readonly string[]): Container {
  const env = list(container.env)
  const kept = env.filter((one, i) => {
    const { name } = one as { name: string }
    if (ours.includes(name)) return env.findLastIndex((other) => other?.name === name) === i
    return name.startsWith(HELD_BACK) || (variableRefused(name) === null && !isLater(name))
  })
  return {
    ...container,
    ...(container.env === undefined ? {} : { env: kept }),
    ...(container.envFrom === undefined
      ? {}
      : {
          envFrom: list(container.envFrom).map((from) => {
            const { prefix = '' } = from as { prefix?: string }
            return prefix.startsWith(HELD_BACK) ? from : { ...from, prefix: `${HELD_BACK}${prefix}` }
          }),
        }),
  }
}

/** Old name → new one, null where it cannot be told: then it may be one of `envFrom`. */
type NewName = (name: string) => string

function variables(env: unknown, envFrom: unknown): object[] {
  const given: object[] = []
  const before: object[] = []
  for (const one of list(env)) {
    const { name, value } = (one ?? {}) as { name?: unknown; value?: unknown }
    const known = namesOf([...before], envFrom)
    before.push(one)
    if (typeof name !== 'string') given.push(one)
    else if (variableRefused(name) === null)
      given.push({
        ...one,
        name: isLater(name) ? `${HELD_BACK}${name}` : name,
        ...(typeof value === 'string' ? { value: renamed(value, known) } : {}),
      })
  }
  return given
}

/** What Kubernetes itself sets for each Service of the namespace; and what is not the author's is not in his `envFrom` either. */
const OF_SERVICES = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)$/

function namesOf(env: unknown, envFrom: unknown): NewName {
  const known = new Set(list(env).map((one) => one?.name))
  return (name) => {
    if (known.has(name)) return isLater(name) ? `${HELD_BACK}${name}` : name
    return list(envFrom).length === 0 || OF_SERVICES.test(name) ? name : `${HELD_BACK}${name}`
  }
}

/** References as Kubernetes has them: `$(NAME)`; `$$(NAME)` is none. */
function renamed(text: string, newName: NewName): string {
  return text.replace(/\$\$|\$\(([^()]+)\)/g, (all, name?: string) =>
    name === undefined ? all : `$(${newName(name)})`,
  )
}

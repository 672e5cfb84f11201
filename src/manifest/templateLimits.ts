/** What of an EventSource's `template` its Pods are not given, and why: the reader advises, the controller says it in a condition. Pure. */
import { mountRefused } from './podMounts.ts'
import { variableRefused } from './podVariables.ts'
import { membersOf, type Path } from './tree.ts'

export interface Limit {
  /** From the object. */
  path: Path
  /** For people: what, and why. */
  message: string
  remedy: string
}

/** @param template `spec.template`, as written. Never throws: what has another shape is the API server's to refuse */
export function templateLimits(template: unknown): Limit[] {
  const { container, volumes } = membersOf(template)
  const { env, envFrom, volumeMounts } = membersOf(container)
  const at = (field: string, i: number, member: string): Path => ['spec', 'template', 'container', field, i, member]
  const found: Limit[] = []
  for (const [i, one] of items(env).entries()) {
    const { name } = membersOf(one)
    const refused = typeof name === 'string' ? variableRefused(name) : null
    if (refused === null) continue
    found.push({
      path: at('env', i, 'name'),
      message: `${name} ${refused.why}: it is not given to the Pods`,
      remedy: refused.remedy,
    })
  }
  for (const [i, one] of items(envFrom).entries()) {
    const { prefix } = membersOf(one)
    const refused = typeof prefix === 'string' && prefix !== '' ? variableRefused(`${prefix}X`) : null
    if (refused === null) continue
    const message = `variables that begin with ${prefix} are not given to the Pods: ${prefix}… ${refused.why}`
    found.push({ path: at('envFrom', i, 'prefix'), message, remedy: refused.remedy })
  }
  const mounts = items(volumeMounts)
  for (const [i, mount] of mounts.entries()) {
    const why = mountRefused(mount, mounts, items(volumes))
    if (why === null) continue
    const message = `${JSON.stringify(membersOf(mount).mountPath)} ${why}: it is not mounted`
    found.push({
      path: at('volumeMounts', i, 'mountPath'),
      message,
      remedy: 'mount it elsewhere, for example under /mnt',
    })
  }
  return found
}

const items = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

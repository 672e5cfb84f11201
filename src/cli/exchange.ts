/** What `migrate` and `uninstall` have in common: the cluster, the plan as text, and what is told while it is carried out. */
import { styleText } from 'node:util'
import { type Command, Option } from 'commander'
import type { Target } from '../controller/migrate/installs.ts'
import type { Snapshot } from '../controller/migrate/snapshot.ts'
import type { Refusal, Step } from '../controller/migrate/steps.ts'
import type { Work } from '../controller/migrate/work.ts'
import type { Clock } from '../core/clock.ts'
import type { KubeClient } from '../kube/client.ts'
import { networkPoliciesOption, podOptions, podSecurityOption } from './podOptions.ts'

export interface ClusterOptions {
  context?: string
  namespace?: string
  home?: string
  image?: string
  sensorImage?: string
  podSecurity?: string
  serviceAccounts?: string
  networkPolicies?: string
  imagePullPolicy?: string
  accept: string[]
  json?: boolean
  timeout: string
}

const many = (value: string, before: string[]) => [...before, value]

export function withCluster(command: Command): Command {
  return command
    .option('--context <name>', 'of the kubeconfig (default: the current one)')
    .option('-n, --namespace <name>', 'an install that looks after this namespace only')
    .addOption(new Option('-A, --all-namespaces', 'an install for the whole cluster (default)').conflicts('namespace'))
    .option('--home <name>', 'where the controller runs (default: where it is found, else argo-events)')
    .option('--image <image>', 'image of our controller and of EventSource Pods (default vedette:<this version>)')
    .option('--image-pull-policy <policy>', 'Always, IfNotPresent or Never')
    .option('--sensor-image <image>', "Argo Events' image, for Sensor Pods")
    .addOption(podSecurityOption())
    .option('--service-accounts <names>', 'that Pods may run as beside default: name or namespace/name, with commas')
    .addOption(networkPoliciesOption())
    .option('--accept <reason>', 'go on although this was refused; may be given several times', many, [])
    .option('--timeout <seconds>', 'how long one step may take', '300')
    .option('--json', 'print the plan as JSON')
}

export interface Exchange {
  client: KubeClient
  clock: Clock
  snapshot: Snapshot
  target: Target
  work: Work
}

/** Looks at the cluster. @throws KUBERNETES_CONFIG, KUBERNETES_UNAVAILABLE */
export async function openExchange(options: ClusterOptions): Promise<Exchange> {
  const [
    { systemClock: clock },
    { kubeConfiguration },
    { createKubeClient },
    { readSnapshot },
    { upstreamInstalls, ourInstalls },
    { install, DEFAULT_NAMESPACE },
    { loadSource, types },
  ] = await Promise.all([
    import('../core/clock.ts'),
    import('../kube/configuration.ts'),
    import('../kube/client.ts'),
    import('../controller/migrate/snapshot.ts'),
    import('../controller/migrate/found.ts'),
    import('../controller/install/install.ts'),
    import('../sources/index.ts'),
  ])
  const { context, namespace, image, sensorImage, imagePullPolicy } = options
  const client = createKubeClient(await kubeConfiguration({ clock, context }), clock)
  const given = options.home ?? namespace
  const home = given ?? (await homeOf(client)) ?? DEFAULT_NAMESPACE
  const definitions = (await Promise.all(types.map(loadSource))).filter((one) => one !== null)
  const objects = install({
    ...{ definitions, namespace: home, namespaced: namespace !== undefined },
    ...(image === undefined ? {} : { image }),
    ...(sensorImage === undefined ? {} : { sensorImage }),
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    ...podOptions(options),
  })
  const snapshot = await readSnapshot(client, { namespace, home })
  const tell = (object: string, what: string) => void process.stderr.write(`${object}: ${what}\n`)
  const patienceMs = Math.max(1, Number(options.timeout) || 300) * 1000
  return {
    ...{ client, clock, snapshot },
    target: { home, namespaced: namespace !== undefined, objects },
    work: { client, clock, tell, patienceMs },
  }

  async function homeOf(of: KubeClient): Promise<string | undefined> {
    const { resources } = await import('../kube/resources.ts')
    const { items } = await of.list(resources.deployments).catch(() => ({ items: [] }))
    const theirs = upstreamInstalls(items).filter(
      ({ role, namespace: only }) => role === 'controller' && only === undefined,
    )
    const [first] = [...theirs.map(({ deployment }) => deployment), ...ourInstalls(items)]
    return first?.metadata.namespace
  }
}

/** Prints the plan. @returns what is refused and not accepted */
export async function showPlan(
  steps: readonly Step[],
  { accept, json = false }: Pick<ClusterOptions, 'accept' | 'json'>,
): Promise<(Refusal & { object: string })[]> {
  const { refusedOf } = await import('../controller/migrate/steps.ts')
  const refused = refusedOf(steps, accept)
  process.stdout.write(json ? `${JSON.stringify({ steps, refused }, null, 2)}\n` : textOf(steps, accept))
  for (const { object, reason, why, remedy } of refused)
    process.stderr.write(`refused: ${object}: ${why}. ${remedy}; or --accept ${reason}\n`)
  return refused
}

function textOf(steps: readonly Step[], accept: readonly string[]): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    styleText(style, text, { stream: process.stdout })
  const lines = steps.map(({ object, fate, what, loses, takes, refusal }) =>
    [
      `${paint(refusal === undefined ? 'green' : 'red', fate.padEnd(10))}  ${paint('bold', object)}`,
      `            ${what}`,
      ...(loses === undefined ? [] : [`            may lose: ${loses}`]),
      ...(takes === undefined ? [] : [`            takes: ${takes}`]),
      ...(refusal === undefined
        ? []
        : [
            `            ${accept.includes(refusal.reason) ? 'accepted' : 'REFUSED'} (${refusal.reason}): ${refusal.remedy}`,
          ]),
    ].join('\n'),
  )
  const counts = new Map<string, number>()
  for (const { fate } of steps) counts.set(fate, (counts.get(fate) ?? 0) + 1)
  const sum = [...counts].map(([fate, count]) => `${count} ${fate}`).join(', ')
  return `${lines.join('\n')}\n${steps.length} objects: ${sum || 'nothing is there'}\n`
}

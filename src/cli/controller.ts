import type { Command } from 'commander'
import type { Redact, Redactor } from '../core/redact.ts'
import { parseBind } from './bind.ts'
import { networkPoliciesOption, type PodOptions, podSecurityOption } from './podOptions.ts'

interface Options extends PodOptions {
  namespaced?: boolean
  managedNamespace?: string
  leaderElection: string
  healthPort: string
  metricsPort: string
  webhook?: boolean
  webhookPort: string
  bind?: string
  config: string
  rollouts?: string
}

export default function register(program: Command, { redact }: Redactor): void {
  program
    .command('controller')
    .description('run the Kubernetes controller of EventSources, EventBuses and Sensors')
    .option('--namespaced', 'look after one namespace only')
    .option('--managed-namespace <name>', 'that namespace (default $NAMESPACE)')
    .option('--leader-election <bool>', 'false: no Lease; only when no other controller can run', 'true')
    .option('--health-port <port>', '/healthz and /readyz', '8081')
    .option('--metrics-port <port>', '/metrics', '7777')
    .option('--webhook', 'serve the validating admission webhook')
    .option('--webhook-port <port>', 'where', '8443')
    .addOption(podSecurityOption())
    .option('--service-accounts <names>', 'that they may run as beside default: name or namespace/name, with commas')
    .addOption(networkPoliciesOption())
    .option('--rollouts <number>', 'of so many Deployments at once the Pods are replaced (default 5)')
    .option('--bind <address>', 'address of all its ports (default: every one)', parseBind)
    .option(
      '--config <file>',
      "Argo Events' controller-config.yaml; may be missing",
      '/etc/argo-events/controller-config.yaml',
    )
    .addHelpText(
      'after',
      '\nOutside a cluster it uses KUBECONFIG. Environment: VEDETTE_IMAGE, IMAGE_PULL_POLICY, ARGO_EVENTS_IMAGE (of Sensors),\n' +
        'SENSORS=false (leave Sensors alone), EVENTBUS_PRIORITY_CLASS, POD_SECURITY, SERVICE_ACCOUNTS, NETWORK_POLICIES, ROLLOUTS\n' +
        '(as the options), NAMESPACE, POD_NAME, LOG_LEVEL.\n\n' +
        'Examples:\n  vedette controller\n  vedette controller --namespaced --managed-namespace team-a\n' +
        '  KUBECONFIG=~/.kube/config VEDETTE_IMAGE=registry.example/vedette:0.1.0 vedette controller',
    )
    .action((options: Options) => controller(options, redact))
}

async function controller(options: Options, redact: Redact): Promise<void> {
  const [
    { systemClock },
    { createLogger },
    { fail },
    { kubeConfiguration },
    { createKubeClient },
    { runController },
    { followSettings },
    os,
  ] = await Promise.all([
    import('../core/clock.ts'),
    import('../core/log.ts'),
    import('../core/errors.ts'),
    import('../kube/configuration.ts'),
    import('../kube/client.ts'),
    import('../controller/controller.ts'),
    import('../controller/settings.ts'),
    import('node:os'),
  ])
  const port = (text: string) => {
    const number = Number(text)
    if (!Number.isInteger(number) || number < 0 || number > 65_535)
      throw fail('USAGE', `${JSON.stringify(text)} is no port`)
    return number
  }
  const { env } = process
  const level = (['debug', 'info', 'warn', 'error'] as const).find((one) => one === env.LOG_LEVEL) ?? 'info'
  const write = (line: string) => void process.stdout.write(line)
  const logOf = (name: string) => createLogger({ format: 'json', level, name: `argo-events.${name}`, redact, write })
  const log = logOf('controller-manager')
  const clock = systemClock
  const client = createKubeClient(await kubeConfiguration({ clock }), clock)
  const home = env.NAMESPACE || client.namespace
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort())
  const settings = await followSettings({ ...withOptions(env, options), NAMESPACE: home }, options.config, {
    clock,
    log,
    signal: stop.signal,
  })
  try {
    await runController(
      {
        client,
        home,
        namespace: options.namespaced === true ? options.managedNamespace || home : undefined,
        identity: `${env.POD_NAME || os.hostname()}_${crypto.randomUUID()}`,
        election: options.leaderElection !== 'false',
        host: options.bind,
        healthPort: port(options.healthPort),
        metricsPort: port(options.metricsPort),
        webhookPort: options.webhook === true ? port(options.webhookPort) : undefined,
        settings,
        clock,
        log,
        logOf,
      },
      stop.signal,
    )
  } finally {
    await client.close()
  }
}

/** The options that are settings, over the environment. */
function withOptions(
  env: NodeJS.ProcessEnv,
  { podSecurity, serviceAccounts, networkPolicies, rollouts }: Options,
): NodeJS.ProcessEnv {
  return {
    ...env,
    ...(podSecurity === undefined ? {} : { POD_SECURITY: podSecurity }),
    ...(serviceAccounts === undefined ? {} : { SERVICE_ACCOUNTS: serviceAccounts }),
    ...(networkPolicies === undefined ? {} : { NETWORK_POLICIES: networkPolicies }),
    ...(rollouts === undefined ? {} : { ROLLOUTS: rollouts }),
  }
}

import { networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import { systemClock } from '../core/clock.ts'
import { exitCodeOf, fail, isVedetteError } from '../core/errors.ts'
import { gatherLines } from '../core/gather.ts'
import { createLogger, type Logger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import { parseBind } from './bind.ts'
import { beginPod } from './podProcess.ts'

interface ServiceFlags {
  root: string
  bind?: string
  metricsPort: number
}

export default function register(program: Command, redactor: Redactor): void {
  program
    .command('eventsource-service')
    .description('one replica of one EventSource, as a Pod runs it: told by its environment, logs JSON on stdout')
    .option(
      '--root <dir>',
      'where the mounted paths begin (etc/eventbus/auth, argo-events/secrets, argo-events/config)',
      '/',
    )
    .option('--bind <address>', 'address that webhooks, metrics and probes listen on (default: all)', parseBind)
    .option('--metrics-port <port>', 'port of /metrics, /healthz, /startupz and /readyz', parsePort, 7777)
    .addHelpText(
      'after',
      `
Environment, as Argo Events' controller sets it:
  EVENTSOURCE_OBJECT   base64 of the JSON of the EventSource
  EVENTBUS_CONFIG      base64 of the JSON of the EventBus's status.config
  POD_NAME             the replica id
  NAMESPACE            where EVENTSOURCE_OBJECT names no namespace
  LEADER_ELECTION      k8s: elect by a Kubernetes Lease instead of the EventBus
  LEADER_ELECTION_LEASE_DURATION, LEADER_ELECTION_RENEW_DEADLINE, LEADER_ELECTION_RETRY_PERIOD
                       durations like 5s; if one is set, the others are 5s, 2s, 1s
  POD_IP               where the other replicas reach this one (with a Lease; default: its first address)
  KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT
                       the API server, for the Lease; without: the kubeconfig that KUBECONFIG names
  TRUSTED_PROXIES      proxies before the webhooks whose word on the sender counts: 10.0.0.0/8,…
  FORWARDED_HEADER     where they say it: X-Forwarded-For (default) or Forwarded
  LISTENER_LIMITS      limits of the webhooks: maxConnections=8192,…
  LOG_LEVEL            debug, info, warn, error
  TZ                   zone of schedules that name none

Examples:
  vedette eventsource-service
  EVENTSOURCE_OBJECT=$(base64 -w0 source.json) EVENTBUS_CONFIG=$(base64 -w0 bus.json) POD_NAME=orders-0 \\
    vedette eventsource-service --root ./mounts --metrics-port 7778

SIGTERM drains, hands the lead over and ends with 0. Exit codes: 1 the environment is wrong, 70 our bug.`,
    )
    .action((flags: ServiceFlags) => serve(flags, redactor))
}

async function serve({ root, bind = everyAddress(), metricsPort }: ServiceFlags, redactor: Redactor): Promise<void> {
  const said = await beginPod()
  const { logLevelOf, readEnvironment } = await import('../pod/environment.ts')
  const log = createLogger({
    format: 'json',
    level: logLevelOf(process.env),
    name: 'argo-events.eventsource',
    redact: redactor.redact,
    write: (line) => void process.stdout.write(line),
  })
  endWithALine(log)
  await said(log)
  let stop: (() => void) | null = null
  let signalled = 0
  const onSignal = () => {
    if (++signalled > 1) process.exit(1)
    stop?.()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  try {
    const environment = await readEnvironment(process.env)
    const { startPod } = await import('../pod/pod.ts')
    const gathering = gatherLines(log.child({ eventSourceName: environment.source.name }), systemClock)
    process.on('exit', gathering.flush)
    const pod = await startPod({
      ...{ environment, root, bind, metricsPort },
      clock: systemClock,
      log: gathering.log,
      redactor,
    })
    stop = pod.stop
    if (signalled > 0) stop()
    await pod.ended
  } catch (error) {
    if (!isVedetteError(error)) throw error
    log.error(error.message)
    process.exit(exitCodeOf(error))
  }
  // what a timer or a library still holds must not keep a Pod that has ended
  process.exit(0)
}

/** What nobody caught is our bug; it is said where the Pod's log is read. */
function endWithALine(log: Logger): void {
  const end = (error: unknown) => {
    log.error('ended by an unexpected error', {
      error,
      stacktrace: error instanceof Error ? error.stack : String(error),
    })
    process.exit(70)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

/** All addresses of both families where there is IPv6; `::` takes IPv4 too. */
function everyAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.some(({ family }) => family === 'IPv6') ? '::' : '0.0.0.0'
}

/** @throws USAGE */
function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw fail('USAGE', `--metrics-port ${JSON.stringify(text)} is no port: write a number up to 65535, for example 7777`)
}

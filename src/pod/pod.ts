/**
 * The process that runs in a Pod: one replica of one EventSource, in the place of Argo Events' `eventsource-service`. It has no
 * supervisor: the kubelet restarts it, and what dies with it another Pod's replica takes over.
 */
import { join } from 'node:path'
import { collectDefaultMetrics } from 'prom-client'
import { shownMetrics } from '../api/shown.ts'
import { type OpenBus, openBus } from '../buses/index.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import { version } from '../local/version.ts'
import { whenConnected } from '../local/whenConnected.ts'
import { hideCredentials } from '../manifest/credentials.ts'
import { diagnosticLine } from '../manifest/load.ts'
import type { EventSource } from '../manifest/manifest.ts'
import { createHolding, type Holding } from '../runtime/holding.ts'
import { createListeners } from '../runtime/http/listeners.ts'
import { listenerOptions } from '../runtime/http/settings.ts'
import { addBuildInfo, createMetrics } from '../runtime/metrics.ts'
import { hidingSecrets, mountedSecrets, readValue } from '../runtime/secrets.ts'
import { announceTransport } from '../runtime/transport.ts'
import { loadSource } from '../sources/index.ts'
import type { PodEnvironment } from './environment.ts'
import { lockFor } from './lock.ts'
import { notReadyBecause, notServedHere } from './readiness.ts'
import { servePod } from './server.ts'

export interface PodOptions {
  environment: PodEnvironment
  /** Where upstream's mount paths begin: `/`. */
  root: string
  /** Address that webhooks, metrics and probes listen on. */
  bind: string
  metricsPort: number
  clock: Clock
  log: Logger
  redactor: Redactor
}

export interface Pod {
  /** Resolves when it has stopped. */
  readonly ended: Promise<void>
  /** Unready, then drains, then resigns. Called again: nothing more happens. */
  stop(): void
}

/** Kubernetes sends requests to a Pod for a while after it was told to end: endpoints take their time. */
const STILL_SERVED_MS = 5_000

/** @throws SPEC_INVALID for a bus or lock that this version does not have; PORT_IN_USE for the port of metrics and probes */
export async function startPod(options: PodOptions): Promise<Pod> {
  const { environment, root, bind, metricsPort, clock, log, redactor } = options
  const { source, podName, findings } = environment
  hideEnvironment(environment, redactor)
  for (const finding of findings) log[finding.severity === 'error' ? 'error' : 'warn'](diagnosticLine(finding))
  const metrics = createMetrics()
  addBuildInfo(metrics.registry, version())
  collectDefaultMetrics({ register: metrics.registry })
  const listening = await entriesThatListen(source)
  const refused = new Set(source.entries.flatMap((entry) => (entry.refused === undefined ? [] : entry.name)))
  let holding: Holding | null = null
  let saidStarted = false
  let stopping = false
  const report = () => holding?.reports()[0] ?? null

  const open = await openPodBus(environment, options)
  const { bus } = open
  announceTransport(bus, log)
  const undo = [() => bus.close()]
  try {
    const server = await servePod(
      {
        metrics: async () => shownMetrics(await metrics.registry.metrics(), redactor.redact),
        started: () => report() !== null,
        notReady: () =>
          notReadyBecause({ report: report(), bus: bus.status(), listening, refused, stopping }).map(redactor.redact),
        notServed: () => notServedHere({ report: report(), listening, refused }).map(redactor.redact),
      },
      { host: bind, port: metricsPort },
    )
    const closeServer = async () => {
      server.close()
      server.closeAllConnections()
    }
    undo.push(closeServer)
    log.info('starting eventsource server', { version: version(), replica: podName })
    const listeners = createListeners({ bind, clock, log, ...listenerOptions(environment.listeners) })
    undo.push(() => listeners.close())
    const held = createHolding({
      bus,
      electionFor: () =>
        lockFor(environment, open, { bind, taken: new Set([...listening.values()].flat()), clock, log }),
      idFor: () => podName,
      listeners,
      secrets: secretsIn(root, redactor),
      metrics,
      clock,
      localZone: environment.localZone,
      log,
      redactor,
      logEvents: true,
      onReport() {
        if (saidStarted || report()?.state !== 'serving') return
        saidStarted = true
        log.info('Eventing server started.')
      },
      onFailover: () => {},
    })
    holding = held
    await whenConnected(bus, clock)
    await held.apply([source])

    const end = Promise.withResolvers<void>()
    const drain = async (): Promise<void> => {
      log.info('stopping: no longer ready')
      if (environment.inKubernetes) {
        listeners.windDown()
        await clock.sleep(STILL_SERVED_MS)
      }
      log.info('draining: no new events are taken, what is in flight is finished')
      await held.drain()
      await closeServer()
      log.info('stopped')
    }
    return {
      ended: end.promise,
      stop() {
        if (stopping) return
        stopping = true
        drain().then(end.resolve, end.reject)
      },
    }
  } catch (error) {
    for (const step of undo.reverse()) await step()
    throw error
  }
}

/** Upstream's mount paths. */
export const secretsIn = (root: string, redactor: Redactor) =>
  hidingSecrets(
    mountedSecrets({ secrets: join(root, 'argo-events/secrets'), configMaps: join(root, 'argo-events/config') }),
    redactor,
  )
const authFile = (root: string) => join(root, 'etc/eventbus/auth/auth.yaml')

/** What is secret in the objects themselves. */
export const hideEnvironment = ({ source, bus }: PodEnvironment, redactor: Redactor): void =>
  hideCredentials({ eventSources: [source], eventBuses: [bus], secrets: [] }, redactor)

/** @throws SPEC_INVALID for a bus that this version does not have, or cannot use */
export async function openPodBus(
  { source, bus, podName }: PodEnvironment,
  { root, clock, log, redactor }: Pick<PodOptions, 'root' | 'clock' | 'log' | 'redactor'>,
): Promise<OpenBus> {
  return await openBus(bus, {
    secrets: secretsIn(root, redactor),
    async access(selector) {
      const login = await readValue(authFile(root), 'Secret', selector)
      redactor.hide(login)
      return login
    },
    session: podName,
    serves: source,
    clock,
    log,
  })
}

/** Active-active entries, with their ports. */
async function entriesThatListen({ entries }: EventSource): Promise<Map<string, number[]>> {
  const listening = new Map<string, number[]>()
  for (const { type, name, spec, refused } of entries) {
    if (refused !== undefined) continue
    const definition = await loadSource(type)
    const ports = definition?.strategy === 'active-active' ? definition.listens?.(spec) : undefined
    if (ports !== undefined && ports.length > 0)
      listening.set(
        name,
        ports.map(({ port }) => port),
      )
  }
  return listening
}

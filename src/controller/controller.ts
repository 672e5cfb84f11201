/** The process `vedette controller`: follows the cluster, elects, and works while it leads. */
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { createElector } from '../ha/elector.ts'
import type { LeaseTiming } from '../ha/lock.ts'
import { kubernetesLock } from '../ha/locks/kubernetes-lease.ts'
import type { KubeClient } from '../kube/client.ts'
import type { PrepareStream } from './busStream.ts'
import { type ClusterOptions, createCluster, informersOf, type LoadSource } from './cluster.ts'
import { serveHealth } from './health.ts'
import { CONTROLLER_LEASE } from './install/rbac.ts'
import { createControllerMetrics } from './metrics.ts'
import type { ReadPodMetrics, ReadPodReadiness } from './podMetrics.ts'
import { lostByChange } from './reconcile/lostByChange.ts'
import type { ReadServer } from './serverHolds.ts'
import type { ReadUsers } from './serverUsers.ts'
import type { Settings } from './settings.ts'
import { serveAdmission } from './webhook.ts'
import { runLoops } from './work.ts'

export interface ControllerOptions {
  client: KubeClient
  /** Where it runs itself: its Lease and its webhook's certificate are here. */
  home: string
  /** The one namespace that it looks after; left out: all. */
  namespace?: string | undefined
  /** Who it is in the election. */
  identity: string
  /** False: it works at once, and nobody else may. */
  election: boolean
  /** Left out: every address. */
  host?: string | undefined
  healthPort: number
  metricsPort: number
  /** Left out: it serves no admission webhook. */
  webhookPort?: number | undefined
  settings: () => Settings
  load?: LoadSource | undefined
  podMetrics?: ReadPodMetrics | undefined
  readServer?: ReadServer | undefined
  readUsers?: ReadUsers | undefined
  prepareStream?: PrepareStream | undefined
  podReadiness?: ReadPodReadiness | undefined
  clock: Clock
  log: Logger
  /** See {@link ClusterOptions.logOf}. */
  logOf?: ((controller: string) => Logger) | undefined
}

/** Upstream's (controller-runtime's): longer than an outage of the API server usually is. */
const TIMING: LeaseTiming = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }

/** Runs until `signal` aborts, then hands its lead over and returns. @throws PORT_IN_USE */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { client, home, identity, clock, log, host, healthPort, metricsPort, webhookPort } = options
  const cluster = createCluster(options)
  const metrics = createControllerMetrics(clock)
  const informers = informersOf(cluster)
  let lockError: string | null = null
  const notReady = () => [
    ...informers.flatMap(({ trouble, synced }) => {
      if (trouble !== null) return [trouble]
      return synced ? [] : ['the first look at the cluster is not over']
    }),
    ...(lockError === null ? [] : [`the Lease of the controller: ${lockError}`]),
  ]
  const health = await serveHealth({ notReady, registry: metrics.registry }, { host, healthPort, metricsPort })
  const failed = new AbortController()
  const ending = AbortSignal.any([signal, failed.signal])
  const over: Promise<unknown>[] = informers.map((informer) => informer.run(ending))
  try {
    if (webhookPort !== undefined) {
      const lost = lostByChange(cluster)
      const webhook = await serveAdmission(
        { client, namespace: home, host, port: webhookPort, lost, settings: options.settings, clock, log },
        ending,
      )
      over.push(webhook.closed)
    }
    const work = async (until: AbortSignal): Promise<void> => {
      await Promise.all(informers.map((informer) => informer.whenSynced(until))).catch(() => {})
      if (until.aborted) return
      metrics.leading(true)
      log.info('leading: the cluster is brought into order')
      await runLoops(cluster, metrics, until)
      await cluster.recorder.settled()
      metrics.leading(false)
    }
    if (options.election) await elect(work)
    else await work(signal)
  } finally {
    failed.abort()
    await Promise.all(over)
    health.close()
  }

  async function elect(work: (until: AbortSignal) => Promise<void>): Promise<void> {
    const elector = createElector({
      id: identity,
      lock: kubernetesLock({
        client,
        namespace: home,
        name: CONTROLLER_LEASE,
        clock,
        timeoutMs: TIMING.renewDeadlineMs,
      }),
      suspicions: [],
      timing: TIMING,
      clock,
      log,
      // The API server has no fence; what two leaders would do is the same, object by object.
      strict: () => false,
      claim: async ({ floor }) => ({ term: floor + 1 }),
      onView: () => {},
      onLockError(error) {
        lockError = error
      },
      serve: (lead) => work(lead.signal),
    })
    await elector.run(signal)
  }
}

/** The run as the API sees it: status, metrics and the few things one can do to it. */

import { type MetricSums, runMetrics } from '../api/metrics.ts'
import type { Run } from '../api/run.ts'
import type { Readable } from '../api/scan.ts'
import { type Judgement, notServedLine } from '../api/served.ts'
import { busStatus, type DeliveryStatus, foldSources, leaderOf, SUSPICIOUS_SILENCE_MS } from '../api/status.ts'
import { type Bus, type LogState, type SourceRef, sourceKey } from '../bus/bus.ts'
import type { Clock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import { sharedRuns } from '../core/shared.ts'
import { within } from '../core/signals.ts'
import type { EventSource } from '../manifest/manifest.ts'
import type { Failover } from '../runtime/report.ts'
import type { RunRecord } from './dataDir.ts'
import { type Hosts, lifeKey } from './hosts.ts'
import type { Objects } from './objects.ts'
import { version } from './version.ts'

const METRICS_PATIENCE_MS = 1000
const BUS_PATIENCE_MS = 1000
const BUS_SILENT_MS = 2000
const HAND_OVER_PATIENCE_MS = 10_000
const LOOK_MS = 20

export interface RunParts {
  bus: Bus
  reading: Readable
  hosts: Hosts
  sums: MetricSums
  clock: Clock
  objects: () => Objects
  problems: () => string[]
  failovers: () => Failover[]
  delivery: () => DeliveryStatus | null
  busRestarts: () => number
  /** Of the bus process. */
  busTrouble: () => string | null
  record: () => RunRecord
  /** `ready` has been said. */
  ready: () => boolean
  started: () => boolean
  judgement: () => Judgement
  stop: () => void
}

export function createRun(parts: RunParts): Run {
  const { bus, hosts, sums, clock } = parts
  let lastState: LogState | null = null

  /** The bus's counts; the last known ones when it does not answer soon. */
  const logState = async (): Promise<LogState | null> => {
    const asked = bus.state().then(
      (state) => {
        lastState = state
      },
      () => {},
    )
    let cancel = () => {}
    await Promise.race([
      asked,
      new Promise<void>((resolve) => {
        cancel = clock.after(BUS_PATIENCE_MS, resolve)
      }),
    ])
    cancel()
    return lastState
  }

  const deliveryStatus = (state: LogState | null): DeliveryStatus | null => {
    const delivery = parts.delivery()
    return delivery === null ? null : { ...delivery, head: Math.max(delivery.head, state?.lastSeq ?? 0) }
  }

  const find = (name: string, namespace?: string): EventSource => {
    const all = parts.objects().manifest.eventSources
    const found = all.filter(
      (source) => source.name === name && (namespace === undefined || source.namespace === namespace),
    )
    if (found.length > 1) {
      throw fail(
        'SOURCE_UNKNOWN',
        `there are several EventSources ${name}: give --namespace ${found.map((one) => one.namespace).join(' or ')}`,
      )
    }
    if (found[0] === undefined) {
      throw fail(
        'SOURCE_UNKNOWN',
        `there is no EventSource ${name} here; there ${all.length === 1 ? 'is' : 'are'} ${all.map((one) => one.name).join(', ')}`,
      )
    }
    return found[0]
  }

  /** Why the bus cannot be said to take events, or null. A connection that stands proves nothing: its process may be frozen. */
  const busProblem = async (): Promise<string | null> => {
    const status = bus.status()
    if (!status.connected) return `the bus does not answer: ${parts.busTrouble() ?? status.error}`
    const asked = bus.kv.get('ping').then(
      () => null,
      (error: unknown) => `the bus does not answer: ${messageOf(error)}`,
    )
    const late = `the bus has not answered for ${BUS_SILENT_MS / 1000} s`
    return await within(asked, BUS_SILENT_MS, clock).catch(() => late)
  }
  let looking: Promise<string | null> | null = null

  return {
    bus,
    reading: parts.reading,
    delivery: parts.delivery,
    started: parts.started,
    async readiness() {
      // one question at a time, however many ask
      looking ??= busProblem().finally(() => {
        looking = null
      })
      const problem = await looking
      const { notServed, awaited } = parts.judgement()
      const reasons = problem === null ? [] : [problem]
      // what `ready` still waits for although some replica serves it
      if (!parts.ready()) {
        const begun = awaited.filter((one) => !notServed.includes(one))
        reasons.push('it is still starting', ...begun.map(notServedLine))
      }
      return { ready: reasons.length === 0 && notServed.length === 0, reasons, notServed }
    },
    stop: parts.stop,
    find: (name, namespace) => {
      const { namespace: of, name: called } = find(name, namespace)
      return { namespace: of, name: called }
    },
    eventType({ namespace, name }, entry) {
      const source = find(name, namespace)
      const found = source.entries.find((one) => one.name === entry)
      if (found === undefined) {
        throw fail(
          'SOURCE_UNKNOWN',
          `EventSource ${name} has no entry ${entry}; it has ${source.entries.map((one) => one.name).join(', ')}`,
        )
      }
      return parts.objects().facts(found.type)?.eventType ?? found.type
    },
    // both are gathered once, however many ask
    status: sharedRuns(async () => {
      const { manifest, facts } = parts.objects()
      const { supervisor, startedAt, api } = parts.record()
      const log = await logState()
      const delivery = deliveryStatus(log)
      const { notServed } = parts.judgement()
      return {
        eventSources: foldSources(manifest.eventSources, { hosts: hosts.view(), log, facts }),
        bus: busStatus(bus, hosts.view(), parts.busTrouble()),
        failovers: parts.failovers(),
        problems: parts.problems(),
        ...(delivery === null ? {} : { deliver: delivery }),
        notServed,
        run: {
          pid: supervisor.pid,
          startedAt,
          api,
          ready: parts.ready() && bus.status().connected && notServed.length === 0,
        },
      }
    }),
    metrics: sharedRuns(async () => {
      const view = hosts.view()
      await Promise.all(
        view.map(async ({ index, pid }) => {
          if (pid === null) return
          const snapshot = await hosts.ask(index, { ask: 'metrics' }, METRICS_PATIENCE_MS).catch(() => null)
          const now = hosts.view().find((host) => host.index === index)
          if (now?.pid !== pid) return
          if (snapshot !== null) sums.seen(lifeKey(index, pid), snapshot)
          else if (now.silentMs > SUSPICIOUS_SILENCE_MS) sums.silent(lifeKey(index, pid))
        }),
      )
      const log = await logState()
      return await sums.render(
        await runMetrics({
          version: version(),
          hosts: view.map(({ index, pid, restarts }) => ({ index, up: pid !== null, restarts })),
          busRestarts: parts.busRestarts(),
          bytes: log?.bytes ?? 0,
          messages: log?.messages ?? 0,
          delivery: deliveryStatus(log),
          nowMs: clock.now(),
        }),
      )
    }),
    async failOver({ namespace, name }: SourceRef) {
      const source = find(name, namespace)
      const key = sourceKey(source)
      const { facts } = parts.objects()
      if (
        !source.entries.some((entry) => entry.refused === undefined && facts(entry.type)?.strategy === 'active-passive')
      ) {
        throw fail(
          'NOT_LEADING',
          `all entries of ${name} are active-active: every replica serves, there is no lead to hand over`,
        )
      }
      if (source.replicas < 2) {
        throw fail(
          'NOT_LEADING',
          `${name} has ${source.replicas} replica: there is nobody to hand the lead to; set spec.replicas to 2 or more`,
        )
      }
      const deadline = clock.monotonic() + HAND_OVER_PATIENCE_MS
      const leading = async (unlike: (now: ReturnType<typeof leaderOf>) => boolean, otherwise: string) => {
        for (;;) {
          const { leader, term } = leaderOf(hosts.view(), key)
          if (leader !== null && term !== null && !unlike({ leader, term })) return { leader, term }
          if (clock.monotonic() > deadline) throw fail('NOT_LEADING', otherwise)
          await clock.sleep(LOOK_MS)
        }
      }
      const seconds = HAND_OVER_PATIENCE_MS / 1000
      const before = await leading(() => false, `nobody leads ${name}, for ${seconds} s now; see vedette status`)
      const from = hosts.view().find((host) => host.reports.get(key)?.id === before.leader)
      hosts
        .ask(
          from?.index ?? -1,
          { ask: 'handOver', namespace: source.namespace, name, successor: undefined },
          seconds * 1000,
        )
        .catch(() => {})
      // by whatever way: also when the leader does not answer and is replaced for that
      const after = await leading(
        (now) => now.leader === before.leader || (now.term ?? 0) <= before.term,
        `no other replica of ${name} took the lead within ${seconds} s; see vedette status`,
      )
      return { from: before.leader, to: after.leader, term: after.term }
    },
  }
}

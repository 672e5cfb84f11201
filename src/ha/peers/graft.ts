/**
 * Argo Events' own Pods on the same NATS, as they are during a migration. They elect by graft: the leader beats every 100 ms on
 * `graft.<cluster>.heartbeat`; when it is silent for 0.5 to 1 s, candidates ask on `graft.<cluster>.vote_request`; the cluster is
 * `<namespace>-eventsource-<name>` (github.com/nats-io/graft, nats_rpc.go and node.go). They know nothing of our lock or our fence.
 */
import type { NatsClient } from '../../clients/nats.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Outsiders } from '../lock.ts'

/** Silence after which they are taken not to serve. */
const QUIET_MS = 1_000
/** Its client waits two seconds, and some, before it connects again; its beats are missed for so long after an outage. */
const RECONNECTS_MS = 3_000
/** So long after they were last heard they are taken to be there still: one that was paused says nothing, and writes when it wakes up. */
const AROUND_MS = 60_000

/** What the subjects of their election begin with. */
export const graftCluster = ({ namespace, name }: { namespace: string; name: string }): string =>
  `graft.${namespace}-eventsource-${name}`

export function graftOutsiders({
  client,
  source: { namespace, name },
  clock,
  log,
}: {
  client: NatsClient
  source: { namespace: string; name: string }
  clock: Clock
  log: Logger
}): Outsiders & { close(): void } {
  const cluster = graftCluster({ namespace, name })
  const listeners = new Set<() => void>()
  const stops = new Set<() => void>()
  /** Silence proves nothing before this moment. */
  let unsureUntil = Number.POSITIVE_INFINITY
  let lostBeside = false
  let beatAt = Number.NEGATIVE_INFINITY
  let heardAt = Number.NEGATIVE_INFINITY
  let deaf = false
  let shown = { serving: false, mixed: undefined as string | undefined }
  let cancelLook: (() => void) | null = null

  const within = (ms: number, at: number) => clock.monotonic() - at < ms
  const serving = () => within(QUIET_MS, beatAt)
  const mixed = () => {
    if (!within(AROUND_MS, heardAt)) return undefined
    return serving()
      ? `Argo Events' own Pods serve ${namespace}/${name} on this bus: Vedette's stand by`
      : `Argo Events' own Pods of ${namespace}/${name} were on this bus within the last minute, and no fence holds for them`
  }

  /** Tells of changes, also of those that time alone brings. */
  const look = () => {
    cancelLook?.()
    cancelLook = null
    if (within(AROUND_MS, heardAt)) {
      const due = serving() ? beatAt + QUIET_MS : heardAt + AROUND_MS
      cancelLook = clock.after(Math.ceil(due - clock.monotonic()) + 1, look)
    }
    const now = { serving: serving(), mixed: mixed() }
    if (now.serving === shown.serving && now.mixed === shown.mixed) return
    shown = now
    for (const listener of [...listeners]) listener()
  }

  const heard = (beat: boolean) => {
    heardAt = clock.monotonic()
    if (beat) beatAt = heardAt
    if (cancelLook === null || serving() !== shown.serving || shown.mixed === undefined) look()
  }

  const refused = (error: unknown) => {
    if (deaf) return
    deaf = true
    log.warn(`cannot listen for Argo Events' own Pods: stop them before Vedette serves ${namespace}/${name}`, {
      error: messageOf(error),
      subject: `${cluster}.*`,
    })
  }

  client.connection
    .then(async (nc) => {
      for (const [subject, beat] of [
        ['heartbeat', true],
        ['vote_request', false],
      ] as const) {
        const callback = (error: Error | null) => (error === null ? heard(beat) : refused(error))
        const subscription = nc.subscribe(`${cluster}.${subject}`, { callback })
        stops.add(() => subscription.unsubscribe())
      }
      await nc.flush()
      unsureUntil = clock.monotonic() + QUIET_MS
    })
    .catch(() => {})
  stops.add(
    client.onStatus(({ connected }) => {
      if (!connected) lostBeside = within(AROUND_MS, heardAt)
      else if (lostBeside) unsureUntil = clock.monotonic() + RECONNECTS_MS
    }),
  )

  return {
    serving,
    mixed,
    quiet: () => deaf || (!serving() && clock.monotonic() >= unsureUntil),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      cancelLook?.()
      listeners.clear()
      for (const stop of stops) {
        try {
          stop()
        } catch {
          // The connection has been closed, and its subscriptions with it.
        }
      }
    },
  }
}

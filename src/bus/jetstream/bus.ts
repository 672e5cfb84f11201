/** The bus port on NATS JetStream: one connection, upstream's stream `default`, and a bucket for what is not on the log. */
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { NatsClient } from '../../clients/nats.ts'
import { type Acks, createAcks } from '../../clients/nats-acks.ts'
import { versionsOf } from '../../clients/nats-greeting.ts'
import { ensureBucket, type NatsKv, natsKv } from '../../clients/nats-kv.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf, type VedetteError } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { seldom } from '../../core/seldom.ts'
import { type Append, type Bus, type BusStatus, type Fenced, type Outcome, type SourceRef, sourceKey } from '../bus.ts'
import { asRead, outcomeOf, outcomeOfError } from '../outcome.ts'
import { BUCKET, LEASES } from './buckets.ts'
import { claimTerm, newestRecord } from './claim.ts'
import { createFence, type JetStreamFence, type Sender } from './fence.ts'
import { eventMessage, HEADER_ROOM, unstorable } from './message.ts'
import { refusal } from './outcome.ts'
import { type Readers, readLog, readOthers, readTail } from './reading.ts'
import { createSender } from './sender.ts'
import { loadSnapshot, saveSnapshot } from './snapshots.ts'
import { createLogState } from './state.ts'
import { atLeast, ensureStream, type Fencing, type StreamFacts, whenLed } from './stream.ts'

export interface JetStreamBus extends Bus {
  readonly kind: 'jetstream'
  /** The bucket of leases, for the lock. */
  readonly leases: NatsKv
}

export interface JetStreamOptions {
  client: NatsClient
  /** Upstream's YAML text for a stream that has to be made. */
  streamConfig: string
  clock: Clock
  log: Logger
  /** A message not answered by then is of unknown outcome. */
  ackTimeoutMs?: number
}

const LOOKING = 'looking for the stream'
const API_TIMEOUT_MS = 2_000
/** While nothing has been answered for this long, appends of active-active entries are refused at once. */
const STALLED_MS = 1_000
const MAX_IN_FLIGHT = 20_000
const MAX_IN_FLIGHT_BYTES = 128 << 20
/** The server's own default; what it really is, is known once connected. */
const MAX_PAYLOAD = 1 << 20
/** Webhooks answer 503 until that has worked: it is not to be late. */
const SETTLE = { firstMs: 50, maxMs: 250, jitter: 0.3 }

/** A server of the cluster that does not say its version by then counts for none. */
const GREETING_MS = 500
/** Whether the rest of a cluster has been upgraded meanwhile. */
const LOOK_AGAIN_MS = 5_000

interface Link extends Readers {
  nc: NatsConnection
  acks: Acks
  sender: Sender
  js: JetStreamClient
  jsm: JetStreamManager
}

/** Works in the background until the stream and the buckets are there; `status()` says when. The client is closed with the bus. */
export function openJetStream({
  client,
  streamConfig,
  clock,
  log,
  ackTimeoutMs = 5_000,
}: JetStreamOptions): JetStreamBus {
  const listeners = new Set<(status: BusStatus) => void>()
  const closing = new AbortController()
  const fences = new Map<string, JetStreamFence>()
  const logState = createLogState()
  const passedOver = seldom(clock)
  let link: Link | null = null
  let facts: StreamFacts | null = null
  /** Why the stream cannot be used though NATS can be reached. */
  let trouble: string | null = LOOKING
  let shown: BusStatus = { connected: false, error: 'not yet connected' }
  let settling: Promise<void> | null = null
  let settleAgain = false

  const status = (): BusStatus => {
    if (closing.signal.aborted) return { connected: false, error: 'closed' }
    const under = client.status()
    if (!under.connected) return under
    return trouble === null ? under : { connected: false, error: trouble }
  }
  const connected = () => link !== null && facts !== null && status().connected

  const show = () => {
    const now = status()
    if (now.connected === shown.connected) return
    shown = now
    for (const listener of [...listeners]) listener(now)
  }

  const unavailable = (): VedetteError => {
    const now = status()
    return fail('BUS_UNAVAILABLE', now.connected ? 'the stream is being looked for' : now.error)
  }

  /** @throws BUS_UNAVAILABLE */
  const live = (): Link => {
    if (link === null || !connected()) throw unavailable()
    return link
  }

  /** Looks again whether all is there, makes what is missing, and goes on until that worked. */
  const settle = (): void => {
    if (settling !== null) {
      settleAgain = true
      return
    }
    settling = (async () => {
      for (let attempt = 0; !closing.signal.aborted; attempt++) {
        if (!client.status().connected || link === null) return
        settleAgain = false
        try {
          await settleOnce(link)
          if (!settleAgain) return
        } catch (error) {
          if (attempt === 0) log.warn('the stream is not ready', { error: messageOf(error) })
          if (trouble !== null) trouble = messageOf(error)
        }
        await clock.sleep(backoffMs(attempt, SETTLE), closing.signal).catch(() => {})
      }
    })().finally(() => {
      settling = null
      show()
    })
  }

  const settleOnce = async ({ nc, jsm }: Link): Promise<void> => {
    const own = nc.info?.version ?? ''
    const canFence = atLeast(own, 2, 12)
    const found = await ensureStream(jsm, await whenLed(jsm, clock), {
      versions: async () => [
        own,
        ...(canFence ? await versionsOf(nc.info?.connect_urls ?? [], { clock, timeoutMs: GREETING_MS }) : []),
      ],
      streamConfig,
      // Asked once: who may not alter it waits for nothing at each reconnect.
      upgrade: facts === null || facts.fencing.kind === 'none',
      clock,
      log,
    })
    const ensureBuckets = async () => {
      await Promise.all([ensureBucket(jsm, BUCKET, found.replicas), ensureBucket(jsm, LEASES, found.replicas)])
    }
    if (facts === null) await ensureBuckets()
    if (facts !== null && facts.created !== found.created) {
      log.warn('the stream was deleted and made anew: claiming anew', { created: found.created })
      for (const fence of fences.values()) fence.end(fail('FENCED', 'the stream was deleted and made anew'))
    }
    const before = facts
    facts = found
    trouble = null
    show()
    const { replicas, fencing } = found
    // The cluster is being upgraded, and this connection need not break for the last server of it.
    if (canFence && fencing.kind === 'none' && fencing.untilUpgraded) {
      clock.sleep(LOOK_AGAIN_MS, closing.signal).then(settle, () => {})
    }
    if (before === null) log.info('the stream is ready', { replicas, ...fencingFields(fencing) })
    // Events need not wait until the buckets, too, have leaders again.
    else await ensureBuckets()
  }

  const begin = async (): Promise<void> => {
    const nc = await client.connection
    const { jetstream, jetstreamManager } = await import('@nats-io/jetstream')
    const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: API_TIMEOUT_MS })
    const acks = createAcks(nc, { inbox: client.inbox, clock, timeoutMs: ackTimeoutMs, onNobody })
    let mayConsume = true
    link = {
      nc,
      clock,
      acks,
      jsm,
      js: jetstream(nc, { timeout: API_TIMEOUT_MS }),
      sender: createSender(acks, clock),
      manyFilters: atLeast(nc.info?.version ?? '', 2, 10),
      consumers: () => mayConsume && atLeast(nc.info?.version ?? '', 2, 9, 4),
      noConsumers() {
        mayConsume = false
      },
    }
    settle()
  }

  /** Nobody answering for the stream's subjects is noticed at once. */
  const onNobody = (error: VedetteError) => {
    if (closing.signal.aborted) return
    trouble = error.message
    show()
    settle()
  }

  const forget = client.onStatus((now) => {
    if (!now.connected) link?.acks.broken(`the connection to NATS broke: ${now.error}`)
    else {
      // Its servers may all be new: nobody may lead the stream yet.
      trouble = LOOKING
      settle()
    }
    show()
  })
  begin().catch((error: unknown) => {
    if (!closing.signal.aborted) log.error('the bus cannot be used', { error })
  })

  const room = (bytes: number): VedetteError | null => {
    const { acks } = live()
    if (acks.oldestMs() > STALLED_MS) return fail('BUS_UNAVAILABLE', 'the bus does not answer')
    if (acks.inFlight >= MAX_IN_FLIGHT || acks.inFlightBytes + bytes > MAX_IN_FLIGHT_BYTES)
      return fail('BUS_BUSY', 'too many events wait for the bus')
    return null
  }

  const maxEventBytes = (): number => {
    const limits = [link?.nc.info?.max_payload, facts?.maxMessageBytes].filter(
      (limit) => limit !== undefined && limit > 0,
    )
    const most = Math.min(...(limits.length === 0 ? [MAX_PAYLOAD] : (limits as number[])))
    return Math.max(1, most - HEADER_ROOM)
  }

  const appendOne = async (source: SourceRef, member: Append, maxBytes: number): Promise<Outcome> => {
    const refused = unstorable(member, maxBytes)
    if (refused !== null) return refused
    try {
      const full = room(member.event.byteLength)
      if (full !== null) return { outcome: 'unavailable', error: full }
      const ack = await live().sender.single(eventMessage(source, member))
      return refusal(ack) ?? (ack.duplicate ? { outcome: 'duplicate' } : { outcome: 'stored', seq: ack.seq })
    } catch (error) {
      return outcomeOfError(error)
    }
  }

  const buckets = { data: natsKv(BUCKET, live), leases: natsKv(LEASES, live) }

  return {
    kind: 'jetstream',
    get fencing() {
      return facts === null || facts.fencing.kind === 'none' ? 'lease-only' : 'strict'
    },
    get fencingReason() {
      return facts?.fencing.kind === 'none' ? facts.fencing.reason : undefined
    },
    get transport() {
      return link === null ? undefined : client.transport
    },
    get maxEventBytes() {
      return maxEventBytes()
    },
    status,
    onStatus(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async claim(source, claim) {
      const now = live()
      const held = facts!
      const key = sourceKey(source)
      const before = fences.get(key)
      // Nobody else has led since: should the record be gone (the stream deleted or purged), this is where to go on.
      const known = before !== undefined && before.term >= claim.floor ? before.known : null
      const beside = { kv: buckets.data, maxRecordBytes: maxEventBytes, log, passedOver }
      const claimed = await claimTerm({ ...now, ...beside }, source, claim, known)
      if (facts !== held && facts?.created !== held.created) throw fail('FENCED', 'the stream was made anew meanwhile')
      const fence = createFence({
        ...claimed,
        kv: buckets.data,
        sender: now.sender,
        facts: held,
        source,
        maxEventBytes,
        newestRecord: async () => (await newestRecord(live().jsm, source))?.seq ?? 0,
        connected,
        clock,
      })
      before?.retire()
      fences.set(key, fence)
      return fence
    },
    async appendFenced(fence, batch) {
      return await ours(fence).append(batch)
    },
    append(source, batch) {
      const maxBytes = maxEventBytes()
      return Promise.all(batch.map((member) => appendOne(source, member, maxBytes)))
    },
    tail: async (source, entry, limit) => await readTail(live(), source, entry, limit),
    others: async (source, entry, limit) => await readOthers(live(), source, entry, limit),
    read: (options = {}) =>
      readLog(
        live,
        { ...options, signal: AbortSignal.any([closing.signal, ...(options.signal ? [options.signal] : [])]) },
        clock,
      ),
    state: async () => await asRead('asking for the state of the log', logState(live().jsm)),
    loadSnapshot: (source, entry) => loadSnapshot(buckets.data, source, entry),
    saveSnapshot: (fence, entry, bytes) =>
      outcomeOf(saveSnapshot(buckets.data, ours(fence), entry, bytes, maxEventBytes())),
    kv: buckets.data,
    leases: buckets.leases,
    async close() {
      if (closing.signal.aborted) return
      closing.abort()
      forget()
      for (const fence of fences.values()) fence.retire()
      link?.acks.broken('this connection to the bus was closed')
      show()
      await client.close()
    },
  }
}

const fencingFields = (fencing: Fencing) =>
  fencing.kind === 'none' ? { fencing: 'lease-only', reason: fencing.reason } : { fencing: 'strict', by: fencing.kind }

function ours(fence: Fenced): JetStreamFence {
  if (!('retire' in fence)) throw fail('BUG', 'this fence was not made by this bus')
  return fence as JetStreamFence
}

/**
 * The embedded bus's twin in memory: the same rules over maps, reached through links that can be slow, cut, frozen or lossy.
 * All that happens in it happens by the clock it is given, so a seeded simulation replays exactly. Nothing is durable:
 * `restart` keeps the state as a disk would, `wipe` loses it.
 */
import { type Clock, systemClock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import type { BusStatus, Stored } from './bus.ts'
import { busOver, type LeaseBus, type Transport } from './embedded/face.ts'
import { isRenewal, suspectHoldersOf } from './embedded/leases.ts'
import { forgetIds, readPage, retain } from './embedded/reading.ts'
import {
  isWrite,
  type Operation,
  type Output,
  type Push,
  perform,
  toWireError,
  type WireError,
} from './embedded/request.ts'
import { beginIncarnation } from './embedded/rules.ts'
import type { LogRecord, Table, Tables } from './embedded/tables.ts'

export interface MemoryBusOptions {
  /** Carries everything: delays, time-outs, the wall time of records. */
  clock?: Clock
  /** How long an id is remembered. */
  dedupMs?: number
  maxEventBytes?: number
  /** An answer not there by then makes the outcome unknown. */
  requestTimeoutMs?: number
  /** Copies what goes over a link; a simulator whose clients share nothing mutable may hand it through. */
  clone?: <T>(value: T) => T
}

/** The world's end of a connection, for making faults. */
export interface Link {
  readonly session: string
  /** Milliseconds that each message takes; called once per message, which never overtakes the one before it. */
  delayMs: (direction: 'request' | 'reply') => number
  /** True loses the message (a request never arrives, or an answer never does). Pushes count as replies. */
  lose: (direction: 'request' | 'reply', operation: string) => boolean
  /**
   * The connection breaks and stays broken until `mend`. Requests on their way still arrive when `deliver` (as bytes already
   * in the server's socket do) but their answers do not.
   * @param processDied others are told to suspect the holders of leases that this session wrote
   */
  cut(options?: { deliver?: boolean; processDied?: boolean }): void
  mend(): void
  /** The server side of this link stops: requests wait, in order, and are executed at `thaw`, late. */
  freeze(): void
  thaw(): void
}

export interface MemoryBus extends LeaseBus {
  readonly kind: 'memory'
  readonly link: Link
}

export interface MemoryBusWorld {
  /** The present incarnation. */
  readonly incarnation: number
  /**
   * A client. A session that connects again is a new connection.
   * @param clock the client's own clock, where a paused process pauses its timers; default: the world's
   */
  connect(session: string, options?: { incarnation?: number; clock?: Clock }): MemoryBus
  /** A supervisor starts anew: all leases are void, clients of earlier incarnations are fenced. */
  nextIncarnation(): number
  /** The bus process is killed and comes back after `downMs`: every link breaks for that long; what was acknowledged stays. */
  restart(downMs?: number): void
  /** All bus processing stops and later goes on, as by SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
  /** Everything is lost. */
  wipe(): void
  /** The whole log, oldest first: what a checker of invariants looks at. */
  log(): Stored[]
  /** Called for every record as it is stored, with the record's term and the term that ruled at that moment. */
  onStored(listener: (stored: Stored) => void): () => void
  /** Lets old records and ids go. */
  retain(options: { maxAgeMs: number; maxBytes: number }): void
}

/** A world with one client: for tests that need just a bus. */
export function memoryBus(options: MemoryBusOptions & { session?: string } = {}): MemoryBus {
  return memoryBusWorld(options).connect(options.session ?? 'only')
}

export function memoryBusWorld({
  clock = systemClock,
  dedupMs = 24 * 3_600_000,
  maxEventBytes = 8 << 20,
  requestTimeoutMs = 5000,
  clone = structuredClone,
}: MemoryBusOptions = {}): MemoryBusWorld {
  let tables = memoryTables()
  let incarnation = beginIncarnation(tables, 'next')
  const connections = new Set<Connection>()
  const storedListeners = new Set<(stored: Stored) => void>()
  /** Which connection last wrote each lease. */
  const leaseWriters = new Map<string, Connection>()
  let frozen: (() => void)[] | null = null

  interface Connection {
    push(push: Push): void
    cut: Link['cut']
    mend(): void
  }

  function tell(push: Push, except?: Connection) {
    for (const connection of connections) if (connection !== except) connection.push(push)
  }

  function execute<O extends Operation>(
    from: Connection,
    ofIncarnation: number,
    operation: O,
    input: any,
  ): { result: Output<O> } | { error: WireError } {
    const before = tables.meta.get('seq')
    const leaseBefore = operation === 'writeLease' ? tables.leases.get(input.name)?.record : undefined
    try {
      const at = { nowMs: clock.now(), incarnation: ofIncarnation, dedupMs }
      const result = perform(tables, at, operation, input)
      if (operation === 'writeLease' && result !== null) {
        leaseWriters.set(input.name, from)
        if (!isRenewal(leaseBefore, input.record)) tell({ push: 'lease', name: input.name }, from)
      }
      return { result: clone(result) }
    } catch (error) {
      return { error: toWireError(error) }
    } finally {
      const seq = tables.meta.get('seq')
      if (isWrite(operation) && seq > before) {
        if (storedListeners.size > 0) {
          for (const stored of readPageFrom(before + 1)) for (const listener of storedListeners) listener(stored)
        }
        tell({ push: 'advanced', seq })
      }
    }
  }

  function* readPageFrom(from: number): Generator<Stored> {
    for (let next = from; ; ) {
      const page = readPage(tables, { from: next })
      yield* page.events
      if (page.end) return
      next = page.next
    }
  }

  function tellOfDeath(gone: Connection) {
    for (const holder of suspectHoldersOf(gone, leaseWriters, tables.leases, incarnation)) {
      tell({ push: 'suspect', holder }, gone)
    }
  }

  /** Runs `work` at the server: now, or when it thaws. */
  function atServer(work: () => void) {
    if (frozen === null) work()
    else frozen.push(work)
  }

  function connect(
    session: string,
    { incarnation: own = incarnation, clock: clientClock = clock }: { incarnation?: number; clock?: Clock } = {},
  ): MemoryBus {
    const statusListeners = new Set<(status: BusStatus) => void>()
    const pushListeners = new Set<(push: Push) => void>()
    const pending = new Set<(error: Error) => void>()
    /** Each break makes a new epoch: messages of an old one are void. */
    let epoch = 0
    let up = true
    let waiting: (() => void)[] | null = null
    const arrival = { request: 0, reply: 0 }

    const link: Link = {
      session,
      delayMs: () => 0,
      lose: () => false,
      cut({ deliver = false, processDied = false } = {}) {
        if (!up) return
        up = false
        if (!deliver) {
          epoch++
          waiting = waiting === null ? null : []
        }
        for (const failPending of [...pending]) {
          failPending(fail('OUTCOME_UNKNOWN', 'the connection to the bus broke before its answer came'))
        }
        for (const listener of [...statusListeners]) listener(status())
        if (processDied) tellOfDeath(connection)
      },
      mend() {
        if (up || closed) return
        up = true
        for (const listener of [...statusListeners]) listener(status())
      },
      freeze() {
        waiting ??= []
      },
      thaw() {
        const late = waiting ?? []
        waiting = null
        for (const work of late) work()
      },
    }
    let closed = false
    const connection: Connection = {
      cut: link.cut,
      mend: link.mend,
      push(push) {
        if (!up || link.lose('reply', push.push)) return
        travel('reply', () => {
          if (up) for (const listener of [...pushListeners]) listener(push)
        })
      },
    }
    connections.add(connection)

    function status(): BusStatus {
      return up ? { connected: true } : { connected: false, error: 'the bus cannot be reached' }
    }

    /** Hands over after the link's delay, in order, and on the client's clock on the way back. */
    function travel(direction: 'request' | 'reply', arrive: () => void) {
      const sent = epoch
      const now = clock.monotonic()
      arrival[direction] = Math.max(arrival[direction], now + link.delayMs(direction))
      clock.after(arrival[direction] - now, () => {
        if (sent !== epoch) return
        if (direction === 'reply' && clientClock !== clock) clientClock.after(0, arrive)
        else arrive()
      })
    }

    const transport: Transport = {
      call(operation, input) {
        if (!up) return Promise.reject(fail('BUS_UNAVAILABLE', 'the bus cannot be reached; this is tried again'))
        const request = clone(input)
        return new Promise((resolve, reject) => {
          const settle = (finish: () => void) => {
            if (!pending.delete(failNow)) return
            cancelTimeout()
            finish()
          }
          const failNow = (error: Error) => settle(() => reject(error))
          const cancelTimeout = clientClock.after(requestTimeoutMs, () =>
            failNow(fail('OUTCOME_UNKNOWN', `the bus did not answer within ${requestTimeoutMs} ms`)),
          )
          pending.add(failNow)
          if (link.lose('request', operation)) return
          travel('request', () => {
            const work = () =>
              atServer(() => {
                const answer = execute(connection, own, operation, request)
                if (!up || link.lose('reply', operation)) return
                travel('reply', () =>
                  settle(() =>
                    'error' in answer ? reject(fail(answer.error.code, answer.error.message)) : resolve(answer.result),
                  ),
                )
              })
            if (waiting === null) work()
            else waiting.push(work)
          })
        })
      },
      status,
      onStatus(listener) {
        statusListeners.add(listener)
        return () => statusListeners.delete(listener)
      },
      onPush(listener) {
        pushListeners.add(listener)
        return () => pushListeners.delete(listener)
      },
      async close() {
        if (closed) return
        closed = true
        link.cut()
        connections.delete(connection)
        tellOfDeath(connection)
      },
    }
    return { ...busOver('memory', transport, { clock: clientClock, maxEventBytes }), kind: 'memory', link }
  }

  return {
    get incarnation() {
      return incarnation
    },
    connect,
    nextIncarnation() {
      incarnation = beginIncarnation(tables, 'next')
      for (const name of leaseWriters.keys()) tell({ push: 'lease', name })
      leaseWriters.clear()
      return incarnation
    },
    restart(downMs = 0) {
      const broken = [...connections]
      frozen = frozen === null ? null : []
      leaseWriters.clear()
      for (const connection of broken) connection.cut()
      clock.after(downMs, () => {
        for (const connection of broken) connection.mend()
      })
    },
    freeze() {
      frozen ??= []
    },
    thaw() {
      const late = frozen ?? []
      frozen = null
      for (const work of late) work()
    },
    wipe() {
      tables = memoryTables()
      beginIncarnation(tables, incarnation)
    },
    log: () => [...readPageFrom(0)],
    onStored(listener) {
      storedListeners.add(listener)
      return () => storedListeners.delete(listener)
    },
    retain({ maxAgeMs, maxBytes }) {
      const nowMs = clock.now()
      while (retain(tables, { nowMs, maxAgeMs, maxBytes, limit: 1000 }));
      forgetIds(tables, [...tables.ids.scan()], { nowMs, dedupMs })
    },
  }
}

/** Tables over maps. */
export function memoryTables(): Tables {
  const meta = new Map<string, number>()
  return {
    meta: { get: (key) => meta.get(key) ?? 0, put: (key, value) => meta.set(key, value) },
    log: memoryLog(),
    ids: memoryTable(),
    terms: memoryTable(),
    positions: memoryTable(),
    entries: memoryTable(),
    leases: memoryTable(),
    snapshots: memoryTable(),
    kv: memoryTable(),
  }
}

function memoryLog(): Tables['log'] {
  const records = new Map<number, LogRecord>()
  let last = 0
  const first = () => records.keys().next().value ?? 0
  return {
    get: (seq) => records.get(seq),
    put(seq, record) {
      records.set(seq, record)
      last = Math.max(last, seq)
    },
    remove: (seq) => records.delete(seq),
    first,
    *range(from) {
      for (let seq = Math.max(from, first()); seq <= last; seq++) {
        const record = records.get(seq)
        if (record !== undefined) yield [seq, record]
      }
    },
  }
}

function memoryTable<V>(): Table<V> {
  const values = new Map<string, V>()
  return {
    get: (key) => values.get(key),
    put: (key, value) => values.set(key, value),
    remove: (key) => values.delete(key),
    *scan(after, limit = Number.POSITIVE_INFINITY) {
      const keys = [...values.keys()].filter((key) => after === undefined || key > after).sort()
      for (const key of keys.slice(0, limit)) yield [key, values.get(key) as V]
    },
  }
}

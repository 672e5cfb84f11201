/** A replica in a simulated process: the real election, publisher and leadership over the memory bus and a synthetic origin. */
import type { Advance, Append, Bus, Claim, Fenced, Outcome } from '../src/bus/bus.ts'
import type { MemoryBus } from '../src/bus/memory.ts'
import { fail } from '../src/core/errors.ts'
import type { Logger } from '../src/core/log.ts'
import { createElector, type Elector } from '../src/ha/elector.ts'
import type { LeaseTiming } from '../src/ha/lock.ts'
import { memoryLock } from '../src/ha/locks/memory.ts'
import { createLeadership } from '../src/runtime/lead.ts'
import type { Checker } from './checker.ts'
import { entryNames, originEntry } from './origin.ts'
import type { Process } from './process.ts'
import type { Random } from './random.ts'

export const source = { namespace: 'sim', name: 'orders' }

/** Ways of breaking the product on purpose, to see that the checker notices. */
export type Mutation =
  | 'none'
  /** The bus takes writes of any term. */
  | 'no fence'
  /** An unknown outcome is taken for "not stored", and the batch is sent again. */
  | 'unknown means no'
  /** Positions are those of the last own claim. */
  | 'stale positions'
  /** A batch goes out back to front. */
  | 'no order'
  /** What the bus did not take is acknowledged. */
  | 'forgets'
  /** Who has led once does not stand again. */
  | 'never stands again'

export interface SimulatedReplica {
  readonly elector: Elector
  /** Aborting it stops the replica gracefully. */
  readonly stop: AbortController
  readonly stopped: boolean
  /** Somebody says that this holder's process is gone, rightly or not. */
  suspect(holder: string): void
  /** The bus is full for this client. */
  full: boolean
}

export function startSimulatedReplica({
  id,
  pid,
  process,
  bus,
  lockBus,
  random,
  timing,
  checker,
  log,
  mutation,
  mutant,
  pace,
}: {
  id: string
  /** Names this process among all that ever had this id. */
  pid: string
  process: Process
  bus: MemoryBus
  /** The same, or a connection of its own. */
  lockBus: MemoryBus
  random: Random
  timing: LeaseTiming
  checker: Checker
  log: Logger
  mutation: Mutation
  /** What the mutations of one world share. */
  mutant: { newest?: Fenced; positions?: Map<string, ReadonlyMap<string, unknown>> }
  pace: { gapMs: number; window: number; entries: number }
}): SimulatedReplica {
  const { clock } = process
  const stop = new AbortController()
  const suspectListeners = new Set<(holder: string) => void>()
  let stopped = false
  let hasLed = false

  const appendFenced = async (fence: Fenced, batch: (Append | Advance)[]): Promise<Outcome[]> => {
    if (replica.full) return batch.map(() => ({ outcome: 'unavailable', error: fail('BUS_FULL', 'the bus is full') }))
    // Who wrote it by its own account; the record's term is the bus's account.
    const signed = batch.map((member) => ('event' in member ? { ...member, sourceId: String(fence.term) } : member))
    const with_ = mutation === 'no fence' ? (mutant.newest ?? fence) : fence
    if (mutation === 'no order') return (await process.gated(bus.appendFenced(with_, signed.reverse()))).reverse()
    const outcomes = await process.gated(bus.appendFenced(with_, signed))
    return outcomes.map((one) => {
      if (mutation === 'unknown means no' && one.outcome === 'unknown') return { ...one, outcome: 'unavailable' }
      if (mutation === 'forgets' && one.outcome === 'unavailable') return { outcome: 'stored', seq: 0 }
      return one
    })
  }
  const seen: Bus = {
    ...bus,
    appendFenced,
    loadSnapshot: (of, entry) => process.gated(bus.loadSnapshot(of, entry)),
  }

  const claim = async (wanted: Claim): Promise<Fenced> => {
    const fenced = await process.gated(bus.claim(source, wanted))
    checker.claimed(pid, wanted.nonce, fenced)
    log.info(`claimed term ${fenced.term}`)
    if (mutation === 'no fence' && fenced.term > (mutant.newest?.term ?? 0)) mutant.newest = fenced
    if (mutation !== 'stale positions') return fenced
    mutant.positions ??= new Map()
    const positions = mutant.positions.get(id) ?? fenced.positions
    mutant.positions.set(id, positions)
    return { ...fenced, positions }
  }

  const watch = {
    resumed: (entry: string, position: number) => log.info(`resumes ${entry} at ${position}`),
    outcome: (entry: string, item: number, outcome: string) => {
      if (outcome !== 'stored') log.info(`${entry}-${item}: ${outcome}`)
      checker.outcome(pid, entry, item, outcome)
    },
  }
  const runners = entryNames
    .slice(0, pace.entries)
    .map((entry) => originEntry({ entry, clock, random: random.fork(), ...pace, watch }))
  const leadership = createLeadership({
    bus: seen,
    source,
    clock,
    log,
    entries: () => runners,
    onChange: () => {},
    onFailing: () => {
      log.warn('appends fail: handing over')
      void elector.handOver()
    },
  })
  const lock = memoryLock(lockBus, `${source.namespace}/${source.name}`)
  const elector = createElector<Fenced>({
    id,
    lock: {
      read: () => process.gated(lock.read()),
      write: (record, expected) => process.gated(lock.write(record, expected)),
      onChange: (listener) => lock.onChange(process.gate(listener)),
    },
    suspicions: [
      {
        onSuspect(listener) {
          const gated = process.gate(listener)
          suspectListeners.add(gated)
          const forget = lockBus.onSuspect(gated)
          return () => {
            suspectListeners.delete(gated)
            forget()
          }
        },
      },
    ],
    timing,
    clock,
    random,
    log,
    strict: () => true,
    claim,
    mayStand: () => bus.status().connected && !replica.full && !(mutation === 'never stands again' && hasLed),
    onView: ({ state, leader, term }) => log.info(`${state}; leader ${leader ?? '-'} term ${term ?? '-'}`),
    serve(lead) {
      hasLed = true
      return leadership.serve(lead)
    },
  })
  const replica: SimulatedReplica = {
    elector,
    stop,
    get stopped() {
      return stopped
    },
    suspect(holder) {
      for (const listener of [...suspectListeners]) listener(holder)
    },
    full: false,
  }
  void elector.run(stop.signal).then(() => {
    stopped = true
    log.info('stopped')
  })
  return replica
}

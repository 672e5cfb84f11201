/**
 * The bus, the lock and the suspicion as one simulated process sees them: nothing reaches it while it is paused or dead, the
 * checker hears of every claim, and a mutation may break the bus's word.
 */
import type { Advance, Append, Bus, Fenced, Outcome } from '../src/bus/bus.ts'
import type { MemoryBus } from '../src/bus/memory.ts'
import { fail } from '../src/core/errors.ts'
import type { Lock, Suspicion } from '../src/ha/lock.ts'
import { memoryLock } from '../src/ha/locks/memory.ts'
import type { Checker } from './checker.ts'
import { source } from './origin.ts'
import type { Process } from './process.ts'

/** Ways of breaking the product on purpose, to see that the checker notices. */
export type Mutation =
  | 'none'
  /** The bus takes writes of any term. */
  | 'no fence'
  /** An unknown outcome is taken for "not stored", and the batch is sent again. */
  | 'unknown means no'
  /** Positions are those of the first own claim. */
  | 'stale positions'
  /** A batch goes out back to front. */
  | 'no order'
  /** What the bus did not take is acknowledged. */
  | 'forgets'
  /** Who has led once does not stand again. */
  | 'never stands again'

/** What the mutations of one world share. */
export interface Mutant {
  newest?: Fenced
  positions: Map<string, Fenced['positions']>
}

export interface Client {
  readonly bus: Bus
  readonly lock: Lock
  readonly suspicion: Suspicion
  /** The bus is full for this client. */
  full: boolean
  /** Somebody says that this holder's process is gone, rightly or not. */
  suspect(holder: string): void
}

export function createClient({
  pid,
  process,
  bus,
  lockBus,
  checker,
  mutation,
  mutant,
}: {
  /** Names the process among all of its world. */
  pid: string
  process: Process
  bus: MemoryBus
  /** The same, or a connection of its own. */
  lockBus: MemoryBus
  checker: Checker
  mutation: Mutation
  mutant: Mutant
}): Client {
  const { gated, gate } = process
  const suspectListeners = new Set<(holder: string) => void>()
  let hasLed = false

  const appendFenced = async (fence: Fenced, batch: (Append | Advance)[]): Promise<Outcome[]> => {
    if (client.full) return batch.map(() => ({ outcome: 'unavailable', error: fail('BUS_FULL', 'the bus is full') }))
    // Who wrote it by its own account; the record's term is the bus's account.
    const signed = batch.map((member) => ('event' in member ? { ...member, sourceId: String(fence.term) } : member))
    const used = mutation === 'no fence' ? (mutant.newest ?? fence) : fence
    if (mutation === 'no order') return (await gated(bus.appendFenced(used, signed.reverse()))).reverse()
    const outcomes = await gated(bus.appendFenced(used, signed))
    return outcomes.map((one) => {
      if (mutation === 'unknown means no' && one.outcome === 'unknown') return { ...one, outcome: 'unavailable' }
      if (mutation === 'forgets' && one.outcome === 'unavailable') return { outcome: 'stored', seq: 0 }
      return one
    })
  }

  const claim: Bus['claim'] = async (of, wanted) => {
    const fenced = await gated(bus.claim(of, wanted))
    hasLed = true
    checker.claimed(pid, wanted.nonce, fenced)
    if (mutation === 'no fence' && fenced.term > (mutant.newest?.term ?? 0)) mutant.newest = fenced
    if (mutation !== 'stale positions') return fenced
    const { holder } = wanted
    const positions = mutant.positions.get(holder) ?? fenced.positions
    mutant.positions.set(holder, positions)
    return { ...fenced, positions }
  }

  const lock = memoryLock(lockBus, `${source.namespace}/${source.name}`)
  const client: Client = {
    bus: {
      ...bus,
      claim,
      appendFenced,
      status: () =>
        mutation === 'never stands again' && hasLed ? { connected: false, error: 'broken on purpose' } : bus.status(),
      onStatus: (listener) => bus.onStatus(gate(listener)),
      state: () => gated(bus.state()),
      tail: (of, entry, limit) => gated(bus.tail(of, entry, limit)),
      others: (of, entry, limit) => gated(bus.others(of, entry, limit)),
      loadSnapshot: (of, entry) => gated(bus.loadSnapshot(of, entry)),
      saveSnapshot: (fence, entry, bytes) => gated(bus.saveSnapshot(fence, entry, bytes)),
    },
    lock: {
      onBus: lockBus === bus,
      read: () => gated(lock.read()),
      write: (record, expected) => gated(lock.write(record, expected)),
      onChange: (listener) => lock.onChange(gate(listener)),
    },
    suspicion: {
      onSuspect(listener) {
        const gatedListener = gate(listener)
        suspectListeners.add(gatedListener)
        const forget = lockBus.onSuspect(gatedListener)
        return () => {
          suspectListeners.delete(gatedListener)
          forget()
        }
      },
    },
    full: false,
    suspect(holder) {
      for (const listener of [...suspectListeners]) listener(holder)
    },
  }
  return client
}

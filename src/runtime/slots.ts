/** The entries of one replica: each has one slot, which is in one phase, and what begins in a phase ends with it. */
import type { Clock } from '../core/clock.ts'
import type { Entry } from '../manifest/manifest.ts'
import type { SourceDefinition } from '../source.ts'
import type { EntryRunner } from './entry.ts'
import type { Listeners } from './http/listeners.ts'
import { type Leadership, type Running, run } from './lead.ts'
import type { ReplicaMetrics } from './metrics.ts'
import type { Sink } from './pipeline.ts'
import { type EntryReport, refusedReport } from './report.ts'

type Phase =
  /** Nothing of it runs: it is new, or was dropped. */
  | { is: 'empty' }
  /** No type of this version. */
  | { is: 'refused'; report: EntryReport }
  /** Active-active: it serves. */
  | { is: 'active'; running: Running }
  /** Active-passive: warm, or served by the leadership. Hot standby listens in both. */
  | { is: 'passive'; runner: EntryRunner; listens: AbortController; warm: AbortController | null }

interface Slot {
  phase: Phase
  /** What was applied; null: nothing yet, or that failed. */
  applied: { type: string; digest: string } | null
  /** Holds its ports. */
  expects: AbortController | null
}

export interface SlotsOptions {
  source: { namespace: string; name: string }
  /** Aborts when the replica stops. */
  stopping: AbortSignal
  clock: Clock
  listeners: Listeners
  metrics: ReplicaMetrics
  leadership: Leadership
  /** Where active-active entries emit to. */
  sink: Sink
  load: (type: string) => Promise<SourceDefinition<any, any> | null>
  runnerFor: (entry: Entry, definition: SourceDefinition<any, any>) => EntryRunner
}

export class Slots {
  readonly #options: SlotsOptions
  readonly #slots = new Map<string, Slot>()

  constructor(options: SlotsOptions) {
    this.#options = options
  }

  /** Entries that did not change go on undisturbed. */
  async apply(entries: readonly Entry[]): Promise<void> {
    const wanted = new Set(entries.map(({ name }) => name))
    for (const [name, slot] of [...this.#slots].filter(([name]) => !wanted.has(name))) {
      this.#slots.delete(name)
      slot.expects?.abort()
      await this.#empty(name, slot)
    }
    await Promise.all(entries.map((entry) => this.#expect(entry)))
    for (const entry of entries) await this.#applyEntry(entry)
  }

  /** The active-passive ones. */
  passive(): EntryRunner[] {
    return this.#inPhase('passive').map(({ runner }) => runner)
  }

  active(): Running[] {
    return this.#inPhase('active').map(({ running }) => running)
  }

  refused(): EntryReport[] {
    return this.#inPhase('refused').map(({ report }) => report)
  }

  /** This replica leads: nobody stands by in it. */
  cool(): void {
    for (const phase of this.#inPhase('passive')) letCool(phase)
  }

  /** Standby: connected and authenticated, consuming nothing. Never rejects, as listening: what fails is tried again. */
  keepWarm(): void {
    for (const phase of this.#inPhase('passive')) this.#keepWarm(phase)
  }

  /** Closes what standbys have prepared, and nobody took. */
  closeKept(): void {
    for (const runner of this.passive()) runner.closeKept()
  }

  #inPhase<Is extends Phase['is']>(is: Is): Extract<Phase, { is: Is }>[] {
    const phases = Array.from(this.#slots.values(), ({ phase }) => phase)
    return phases.filter((phase): phase is Extract<Phase, { is: Is }> => phase.is === is)
  }

  #slotOf(name: string): Slot {
    const slot = this.#slots.get(name) ?? { phase: { is: 'empty' }, applied: null, expects: null }
    this.#slots.set(name, slot)
    return slot
  }

  /** Before any port opens: what an entry will serve is never unknown. */
  async #expect(entry: Entry): Promise<void> {
    const slot = this.#slotOf(entry.name)
    const before = slot.expects
    const definition = await this.#definitionOf(entry)
    const until = new AbortController()
    slot.expects = until
    try {
      this.#options.listeners.expect(definition?.listens?.(entry.spec) ?? [], this.#untilStopped(until))
    } catch {
      // An endpoint that can match nothing: the entry itself will say so.
    }
    before?.abort()
  }

  async #applyEntry(entry: Entry): Promise<void> {
    const slot = this.#slotOf(entry.name)
    const digest = JSON.stringify([entry.spec, entry.filter, entry.refused])
    const { applied } = slot
    if (applied?.type === entry.type && applied.digest === digest) return
    const definition = await this.#definitionOf(entry)
    if (definition === null || (applied !== null && applied.type !== entry.type)) await this.#empty(entry.name, slot)
    if (definition === null) slot.phase = { is: 'refused', report: refusedReport(entry, this.#options.clock.now()) }
    else await this.#fill(slot, this.#options.runnerFor(entry, definition))
    // Not before that worked: what failed is tried again with the next object, also if it is the same.
    slot.applied = { type: entry.type, digest }
  }

  async #definitionOf({ type, refused }: Entry): Promise<SourceDefinition<any, any> | null> {
    return refused === undefined ? await this.#options.load(type) : null
  }

  /** Puts a runner in the place of the one before it. Active ones overlap, so that no connection is refused. */
  async #fill(slot: Slot, runner: EntryRunner): Promise<void> {
    const { leadership, sink, stopping } = this.#options
    const before = slot.phase
    if (runner.definition.strategy === 'active-active') {
      slot.phase = { is: 'active', running: run(runner, sink, null, stopping) }
      if (before.is === 'active') await before.running.halt()
      return
    }
    if (before.is === 'passive') letGo(before)
    const phase: Extract<Phase, { is: 'passive' }> = {
      is: 'passive',
      runner,
      listens: new AbortController(),
      warm: null,
    }
    slot.phase = phase
    // Hot standby: for as long as this replica holds the entry, leading or not.
    void runner.listen(this.#untilStopped(phase.listens))
    if (leadership.leading) await leadership.replace(runner)
    else this.#keepWarm(phase)
  }

  #keepWarm(phase: Extract<Phase, { is: 'passive' }>): void {
    letCool(phase)
    phase.warm = new AbortController()
    void phase.runner.prepare(this.#untilStopped(phase.warm))
  }

  async #empty(name: string, slot: Slot): Promise<void> {
    const { leadership, metrics, source } = this.#options
    const before = slot.phase
    slot.phase = { is: 'empty' }
    if (before.is === 'passive') letGo(before)
    await Promise.all([before.is === 'active' ? before.running.halt() : undefined, leadership.drop(name)])
    metrics.forget(source.namespace, source.name, name)
  }

  #untilStopped({ signal }: AbortController): AbortSignal {
    return AbortSignal.any([signal, this.#options.stopping])
  }
}

function letCool(phase: Extract<Phase, { is: 'passive' }>): void {
  phase.warm?.abort()
  phase.warm = null
}

function letGo(phase: Extract<Phase, { is: 'passive' }>): void {
  letCool(phase)
  phase.listens.abort()
  phase.runner.closeKept()
}

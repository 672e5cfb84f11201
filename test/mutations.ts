/**
 * Ways of breaking the product on purpose, one line of its source each, to see that tests notice: above all every place where the
 * outcome of something on the way of an event could be dropped. `test/mutations.test.ts` runs them.
 */
import { without } from './servers/cache.ts'
import { mosquittoBinary } from './servers/mosquitto.ts'

export interface Mutation {
  /** What it makes of the product. */
  breaks: string
  /** Relative to the repository. */
  file: string
  /** Stands in the file exactly once. */
  find: string
  replace: string
  /** The tests that notice. */
  tests: string[]
  /** Of them only those whose name matches. */
  only?: string
  /** The server that its tests want and that is not installed. */
  skip?: false | string
}

const runtime = (name: string) => `src/runtime/${name}.test.ts`

const publisher: Omit<Mutation, 'file' | 'tests'>[] = [
  {
    breaks: 'a refused term is told to nobody',
    find: "if (outcome.outcome === 'fenced') onLost(outcome.error)",
    replace: "if (outcome.outcome === 'fenced') {}",
  },
  {
    breaks: 'an unknown outcome is told to nobody',
    find: 'else onUnknown(outcome.error)',
    replace: 'else {}',
  },
  {
    breaks: 'an unknown outcome counts as not stored, and the batch is sent again',
    find: "if (outcome.outcome === 'unavailable') {",
    replace: "if (outcome.outcome === 'unavailable' || outcome.outcome === 'unknown') {",
  },
  {
    breaks: 'what the bus did not take is forgotten',
    find: 'waiting = [...batch.slice(i), ...waiting]',
    replace: 'waiting = [...batch.slice(i + 1), ...waiting]',
  },
  {
    breaks: 'what is in flight when the term ends has no outcome',
    find: 'for (const pending of sent) settle(pending, { outcome: fate, error })',
    replace: '',
  },
  {
    breaks: 'what was never sent when the term ends has no outcome',
    find: "for (const pending of unsent) settle(pending, { outcome: 'fenced', error })",
    replace: '',
  },
  {
    breaks: 'what is handed over after the end has no outcome',
    find: "if (closed !== null) return Promise.resolve({ outcome: 'fenced', error: closed })",
    replace: 'if (closed !== null) return new Promise(() => {})',
  },
  {
    breaks: 'who waits for room when the term ends waits for ever',
    find: 'if (closed !== null || idle()) {\n      for (const waiter',
    replace: 'if (idle() && closed === null) {\n      for (const waiter',
  },
  {
    breaks: 'an answer that never comes is waited for',
    find: 'const ANSWER_LIMIT_MS = 30_000',
    replace: 'const ANSWER_LIMIT_MS = 1e9',
  },
  {
    breaks: 'an answer for too few members leaves the others without an outcome',
    find: 'const outcome = outcomes[i] ?? missing(batch.length, outcomes.length)',
    replace: 'const outcome = outcomes[i]\n      if (outcome === undefined) continue',
  },
  {
    breaks: 'what waited behind a failed attempt is not sent',
    find: 'if (waiting.length > 0) schedule()\n    wake()',
    replace: 'wake()',
  },
]

const pipeline: Omit<Mutation, 'file' | 'tests'>[] = [
  {
    breaks: 'an unknown outcome is acknowledged',
    find: '      default:\n        throw outcome.error\n',
    replace: "      default:\n        return { id, outcome: 'stored' }\n",
  },
  {
    breaks: 'an event of an older term is acknowledged',
    find: "throw fenced ? outcome.error : fail('BUS_UNAVAILABLE', outcome.error.message)",
    replace: "return { id, outcome: 'stored' }",
  },
  {
    breaks: 'an event that the bus refuses for good is acknowledged to its sender',
    find: "if (outcome.outcome === 'refused' && (fenced || event.item !== undefined)) {",
    replace: "if (outcome.outcome === 'refused') {",
  },
  {
    breaks: 'what is skipped is told, whether or not the position could pass it',
    find: 'await pass({ entry, position: member.position, consumed: event.consumed })',
    replace: 'void pass({ entry, position: member.position, consumed: event.consumed }).catch(() => {})',
  },
  {
    breaks: 'the position moves on whatever became of the event',
    find: 'if (settled && member.position !== undefined) position = member.position',
    replace: 'if (member.position !== undefined) position = member.position',
  },
  {
    breaks: 'a position that was not written counts as written',
    find: "if (outcome.outcome !== 'stored' && outcome.outcome !== 'duplicate') throw outcome.error",
    replace: '',
  },
  {
    breaks: 'an attempt that was left behind still hands over',
    find: 'if (ended) throw fail(',
    replace: 'if (ended) void fail(',
  },
  {
    breaks: 'positions of what was held back are never written',
    find: 'await append(member)\n  }\n\n  const emit',
    replace: '}\n\n  const emit',
  },
]

const retrying: Omit<Mutation, 'file' | 'tests'>[] = [
  {
    breaks: 'after an unknown outcome an entry waits for somebody else',
    find: 'if (signal.aborted) return\n      account.condition(messageOf(error), { thrown: true })',
    replace:
      "if (signal.aborted) return\n      if (isVedetteError(error, 'OUTCOME_UNKNOWN', 'FENCED', 'NOT_LEADING')) return await new Promise<void>((done) => signal.addEventListener('abort', () => done()))\n      account.condition(messageOf(error), { thrown: true })",
  },
  {
    breaks: 'an entry that fails again and again is tried as often as at first',
    find: 'backoffMs(attempt, backoff)',
    replace: 'backoffMs(0, backoff)',
  },
  {
    breaks: 'an entry that fails says nothing',
    find: 'account.condition(messageOf(error), { thrown: true })\n      if (clock',
    replace: 'if (clock',
  },
]

const serving: Omit<Mutation, 'file' | 'tests'>[] = [
  {
    breaks: 'an entry is served without knowing its last events',
    find: 'const recalled = await asRead(',
    replace: 'const recalled = await (async (_what: string, read: Promise<any[]>) => await read.catch(() => []))(',
  },
  {
    breaks: 'the last events are waited for without end',
    find: 'within(read, READ_LIMIT_MS, clock)',
    replace: 'read',
  },
]

const contexts: Omit<Mutation, 'file' | 'tests'>[] = [
  {
    breaks: 'what is handed over is not watched',
    find: 'watchdog.handed(pipeline.emit(event))',
    replace: 'pipeline.emit(event)',
  },
  {
    breaks: 'the failure of a snapshot is dropped',
    find: 'await watchdog.asked(snapshot.save(bytes))',
    replace: 'await watchdog.asked(snapshot.save(bytes)).catch(() => {})',
  },
  {
    breaks: 'an attempt that was left behind still writes snapshots',
    find: 'over.throwIfAborted()\n',
    replace: '',
  },
]

const shared: Omit<Mutation, 'file' | 'tests'>[] = [
  {
    breaks: 'nobody counts entries that stand still',
    find: 'metrics.stalled()\n',
    replace: '',
  },
  {
    breaks: 'a slow origin never gets the time that it needs',
    find: 'Math.min(STARTS_MS * 2 ** stalls, MOST_STARTS_MS)',
    replace: 'STARTS_MS',
  },
]

const attempt: Omit<Mutation, 'file' | 'tests'>[] = [
  { breaks: 'what stands still is not told to stop', find: 'stalled.abort(error)', replace: '' },
  {
    breaks: 'a source that does not heed its signal holds up its entry',
    find: 'await patiently(work({ watchdog, signal, over: over.signal }), patience)',
    replace: 'await work({ watchdog, signal, over: over.signal }).then(() => true)',
  },
  {
    breaks: 'a lost outcome holds up the wrapping up',
    find: 'await patiently(wrapUp(), patience)',
    replace: 'await wrapUp()',
  },
]

const watchdog: Omit<Mutation, 'file' | 'tests'>[] = [
  {
    breaks: 'who waits for a bus that is away stands still',
    find: 'if (waiting > 0 && busy()) lost = 0',
    replace: 'if (waiting > 0 && busy() && waiting < 0) lost = 0',
  },
  {
    breaks: 'a lost outcome is not noticed',
    find: 'waiting === 0 || ++lost <= LOST_TICKS',
    replace: 'waiting === 0 || ++lost <= 1e9',
  },
]

const lead: Omit<Mutation, 'file' | 'tests'>[] = [
  {
    breaks: 'a snapshot of an older term does not end the lead',
    find: "case 'fenced':\n          onLost(outcome.error)\n",
    replace: "case 'fenced':\n",
  },
  {
    breaks: 'a snapshot of unknown outcome does not end the term',
    find: "case 'unknown':\n          onUnknown(outcome.error)\n",
    replace: "case 'unknown':\n",
  },
  { breaks: 'an unknown outcome does not end the term', find: 'doubt.abort(error)', replace: '' },
  { breaks: 'a refused term does not end the lead', find: 'held.lost(error)', replace: 'void error' },
  {
    breaks: 'the failure of a snapshot is dropped',
    find: 'settled(await inTime(bus.saveSnapshot(fence, entry, bytes)))',
    replace: 'void (await inTime(bus.saveSnapshot(fence, entry, bytes)))',
  },
]

/** What a source could do wrong, and the source contract must notice: for each shape a type, where there is one of which the origin needs no installed server. */
const sources: (Omit<Mutation, 'file' | 'tests'> & { type: string; file: string })[] = [
  {
    ...{ type: 'generic', file: 'generic/serve', breaks: 'its position is moved on before the event is durable' },
    find: '  await handOver(ctx, item, named',
    replace: '  if (named) await ctx.advance({ name })\n  await handOver(ctx, item, named',
  },
  {
    ...{ type: 'generic', file: 'generic/serve', breaks: 'an event is known by the time at which it came' },
    find: 'id: senderKey(name, payload)',
    replace: 'id: String(performance.now())',
  },
  {
    ...{ type: 'generic', file: 'generic/serve', breaks: 'a refused event is swallowed' },
    find: 'await Promise.race([received(), whenAborted(signal), failed])',
    replace: 'await Promise.race([received(), whenAborted(signal)])',
  },
  {
    ...{
      type: 'azureEventsHub',
      file: 'azureEventsHub/serve',
      breaks: 'its position is moved on before the event is durable',
    },
    find: '      else await handOver(ctx, item,',
    replace: '      await ctx.advance(at)\n      await handOver(ctx, item,',
  },
  {
    ...{ type: 'calendar', file: 'calendar/serve', breaks: 'a tick is known by the time at which it was told' },
    find: 'id: rfc3339Nano(due), position',
    replace: 'id: String(performance.now()), position',
  },
  {
    ...{ type: 'mqtt', file: 'mqtt/serve', breaks: 'a message is acknowledged before its event is stored' },
    find: 'if (event !== null) await ctx.emit(event)',
    replace: 'acknowledge(packet)\n    if (event !== null) await ctx.emit(event)',
    skip: without('mosquitto', mosquittoBinary()),
  },
  {
    ...{ type: 'webhook', file: 'webhook', breaks: 'a request is answered before its event is stored' },
    find: 'success(await ctx.emit({ data: payload(request, body), id: await idOf(request, body) }))',
    replace:
      "success((void ctx.emit({ data: payload(request, body), id: await idOf(request, body) }).catch(() => {}), { id: '', outcome: 'stored' }))",
  },
]

const of = (file: string, tests: string[], some: Omit<Mutation, 'file' | 'tests'>[]): Mutation[] =>
  some.map((one) => ({ file: `src/runtime/${file}.ts`, tests, ...one }))

export const mutations: Mutation[] = [
  ...of('publisher', [runtime('publisher')], publisher),
  ...of('pipeline', [runtime('pipeline'), runtime('entry')], pipeline),
  ...of('entry/retrying', [runtime('entry')], retrying),
  ...of('entry/serving', [runtime('entry')], serving),
  ...of('entry/contexts', [runtime('entry')], contexts),
  ...of('entry/shared', [runtime('entry')], shared),
  ...of('attempt', [runtime('entry')], attempt),
  ...of('watchdog', [runtime('watchdog'), runtime('entry')], watchdog),
  ...of('lead', [runtime('replica')], lead),
  ...sources.map(({ type, file, ...one }) => ({
    ...one,
    file: `src/sources/${file}.ts`,
    tests: ['test/contract/source.test.ts'],
    only: `^${type}\\b`,
  })),
]

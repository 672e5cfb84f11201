/** What an entry has at its origin beside hooks is ended with it, unless another entry has it now. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { systemClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/log.ts'
import type { Entry } from '../../manifest/manifest.ts'
import { defineSource, type SourceDefinition } from '../../source.ts'
import { removeRemote } from './remove.ts'

interface Spec {
  at: string
  queue: string
  keep?: boolean
  bad?: boolean
}

const entry = (name: string, spec: Spec): Entry => ({
  type: 'queued',
  name,
  spec,
  place: { file: 'f', line: 1, column: 1 },
})

/** What is removed of `gone` while `wanted` are there. */
async function removed(gone: Entry, wanted: Entry[], changed: boolean): Promise<string[]> {
  const ended: string[] = []
  const definition = defineSource<Spec>({
    type: 'queued',
    title: '',
    summary: '',
    strategy: 'active-passive',
    guarantee: 'at-least-once',
    because: '',
    ids: '',
    spec: z.any(),
    event: z.any(),
    filterable: true,
    examples: [],
    async serve() {},
    claims({ at, queue, bad }) {
      if (bad) throw new Error('it cannot be read')
      return [{ at, name: queue, what: queue, remedy: '' }]
    },
    removes: ({ keep }) => keep !== true,
    remove: async ({ spec }) => void ended.push(spec.queue),
  })
  assert.deepEqual(await remains(definition, gone, wanted, changed), [])
  return ended
}

/** What could not be removed. */
async function remains(
  definition: SourceDefinition<any, any>,
  gone: Entry,
  wanted: Entry[],
  changed: boolean,
): Promise<string[]> {
  return await removeRemote(
    {
      object: { namespace: 'default', name: 'es', entries: [gone] },
      secrets: { secret: async () => '', configMap: async () => '' } as never,
      kv: null,
      holder: 'h',
      clock: systemClock,
      log: silentLogger,
      load: async () => definition,
      wanted: () => [{ name: 'es', entries: wanted }],
      changed,
    },
    AbortSignal.timeout(5_000),
  )
}

test('deleted: ended, unless an entry that is there has the same at the same origin, or may have', async () => {
  const gone = entry('old', { at: 'b', queue: 'q' })
  assert.deepEqual(await removed(gone, [], false), ['q'])
  assert.deepEqual(await removed(gone, [entry('other', { at: 'b', queue: 'r' })], false), ['q'])
  assert.deepEqual(await removed(gone, [entry('other', { at: 'c', queue: 'q' })], false), ['q'])
  assert.deepEqual(await removed(gone, [{ ...entry('other', { at: 'b', queue: 'q' }), type: 'x' }], false), ['q'])
  assert.deepEqual(await removed(gone, [entry('renamed', { at: 'b', queue: 'q' })], false), [])
  assert.deepEqual(await removed(gone, [entry('broken', { at: 'b', queue: '', bad: true })], false), [])
  assert.deepEqual(await removed(entry('old', { at: 'b', queue: 'q', keep: true }), [], false), [])
})

test('changed: what it had under another name is ended; the same name by another address may be the same', async () => {
  const before = entry('e', { at: 'b', queue: 'q' })
  assert.deepEqual(await removed(before, [entry('e', { at: 'b', queue: 'r' })], true), ['q'])
  assert.deepEqual(await removed(before, [entry('e', { at: 'b.example', queue: 'q' })], true), [])
  assert.deepEqual(await removed(before, [entry('e', { at: 'b', queue: 'q', keep: true })], true), [])
})

test('changed: its hooks are no business of this', async () => {
  const called = defineSource<Spec>({
    ...{ type: 'called', title: '', summary: '', because: '', ids: '', spec: z.any(), event: z.any() },
    ...{ strategy: 'active-active', guarantee: 'at-least-once', filterable: true, examples: [] },
    listens: () => [],
    async serve() {},
    hooks: async () => assert.fail('hooks are no business of a changed entry'),
  })
  const before = entry('e', { at: 'b', queue: 'q' })
  assert.deepEqual(await remains(called, before, [entry('e', { at: 'b', queue: 'r' })], true), [])
})

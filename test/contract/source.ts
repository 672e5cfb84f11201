/**
 * What every source type must keep, whatever it watches: the contract of src/source.ts as tests. Each type is an adapter that
 * says how to make a spec that works here, and how to make its origin have one more event.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { fail } from '../../src/core/errors.ts'
import { describeSchema, type Field } from '../../src/manifest/fields.ts'
import { loadManifest } from '../../src/manifest/load.ts'
import { type Emit, type Guarantee, guaranteeOf, type SourceDefinition } from '../../src/source.ts'
import { type Harness, serveInHarness } from '../harness.ts'
import { titleOf } from '../origins/broker.ts'
import type { ContractAdapter, Origin } from '../origins/suites.ts'

export function sourceContract(definition: SourceDefinition<any, any>, adapter: ContractAdapter): void {
  const { strategy } = definition
  const type = titleOf({ ...adapter, type: definition.type })
  if (adapter.skip !== false) {
    test(`${type}: the contract of a source`, { skip: adapter.skip }, () => {})
    return
  }
  let count = 0
  const setUp = (t: TestContext) => adapter.setUp(t, `${type.replace(/[^A-Za-z0-9]+/g, '-')}-${count++}`)

  const serve = async (
    t: TestContext,
    origin: Origin,
    more: { resume?: unknown; snapshot?: Uint8Array | null } = {},
  ) => {
    const harness: Harness<any> = serveInHarness(definition, origin.spec, {
      ...origin.options?.(() => harness),
      ...more,
    })
    t.after(() => harness.stop())
    await origin.ready(harness)
    return harness
  }
  /** One more event, and waits for it. */
  const oneMore = async (harness: Harness<any>, origin: Origin) => {
    const before = harness.emitted.length
    await Promise.all([origin.provoke(), harness.until(() => harness.emitted.length > before)])
  }

  test(`${type}: every field of spec and payload is described`, () => {
    const bare: string[] = []
    const look = (field: Field, path: string) => {
      if (path !== '' && (field.description ?? '') === '') bare.push(path)
      for (const [name, member] of Object.entries(field.fields ?? {})) look(member, `${path}.${name}`)
      if (field.item !== undefined) look({ ...field.item, description: field.item.description || '-' }, `${path}[]`)
    }
    look(describeSchema(definition.spec), '')
    look(describeSchema(definition.event), '')
    assert.deepEqual(bare, [])
    for (const text of [definition.title, definition.summary, definition.because, definition.ids])
      assert.notEqual(text.trim(), '')
    assert.ok(definition.examples.length > 0)
  })

  test(`${type}: its examples are served as they stand`, async () => {
    for (const { name, yaml } of definition.examples) {
      const { manifest, diagnostics } = await loadManifest([{ file: `${name}.yaml`, text: yaml }])
      assert.deepEqual(
        diagnostics.filter(({ severity }) => severity === 'error'),
        [],
        name,
      )
      const entries = manifest.eventSources.flatMap((object) => object.entries)
      assert.ok(
        entries.some((entry) => entry.type === definition.type),
        `${name} has no entry of the type`,
      )
      assert.deepEqual(
        entries.filter((entry) => entry.refused !== undefined),
        [],
        name,
      )
    }
  })

  test(`${type}: validation changes nothing, repeats itself, and lets a working spec pass`, async (t) => {
    const { spec } = await setUp(t)
    const parsed = deepFreeze(definition.spec.parse(spec))
    const first = definition.validate?.(parsed) ?? []
    assert.deepEqual(definition.validate?.(parsed) ?? [], first)
    assert.deepEqual(
      first.filter(({ severity, fatal }) => severity === 'error' || fatal === true),
      [],
    )
    assert.deepEqual(definition.identity?.(parsed), definition.identity?.(structuredClone(parsed)))
  })

  test(`${type}: what the origin has is emitted once, with the payload its schema says and a position that can be stored`, async (t) => {
    const origin = await setUp(t)
    const harness = await serve(t, origin)
    for (let i = 0; i < 3; i++) await oneMore(harness, origin)
    assert.equal(harness.emitted.length, 3)
    for (const { text, position } of harness.emitted) {
      definition.event.parse(JSON.parse(text))
      if (position !== undefined) assert.deepEqual(JSON.parse(JSON.stringify(position)), position)
    }
    const ids = harness.emitted.map(({ id, eventId }) => eventId ?? id).filter((id) => id !== undefined)
    assert.equal(new Set(ids).size, ids.length)
    if (definition.guarantee === 'exactly-once') assert.equal(ids.length, 3, 'without an id a repeat is a second event')
  })

  test(`${type}: told to stop it ends, and emits nothing after that`, async (t) => {
    const origin = await setUp(t)
    const harness = await serve(t, origin)
    await oneMore(harness, origin)
    assert.equal(await harness.stop(), undefined, 'stopping is no error')
    const { length } = harness.emitted
    await Promise.race([origin.provoke().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 300))])
    assert.equal(harness.emitted.length, length)
  })

  test(`${type}: what the bus will never take is told with its name and where it lies, and holds nothing up`, async (t) => {
    const origin = await setUp(t)
    const harness = await serve(t, origin)
    await oneMore(harness, origin)
    harness.failWith = fail('EVENT_TOO_LARGE', 'event has 2 bytes, the bus takes 1')
    const listens = (definition.listens?.(definition.spec.parse(origin.spec)) ?? []).length > 0
    // A sender who waits is told by the answer.
    if (listens) {
      const answer = (await origin.provoke()) as Response
      return assert.deepEqual([answer.status, await answer.text()], [413, 'event has 2 bytes, the bus takes 1'])
    }
    await Promise.all([origin.provoke(), harness.until(({ skipped }) => skipped.length > 0, 30_000)])
    assert.match(harness.skipped[0]!, /^\S.*: event has 2 bytes, the bus takes 1(; .+)?$/)
    harness.failWith = null
    await oneMore(harness, origin)
    assert.equal(harness.skipped.length, 1)
    assert.equal(await harness.stop(), undefined)
  })

  // Whose sender waits for an answer, or whose origin forgets, holds nothing.
  const holds = (spec: unknown) => {
    const parsed = definition.spec.parse(spec)
    return !(definition.listens?.(parsed).length || FORGETFUL.has(guaranteeOf(definition, parsed)))
  }
  test(`${type}: an emit that is refused leaves the message at the origin, for the next one under the same id`, async (t) => {
    const origin = await setUp(t)
    if (!holds(origin.spec)) return
    const first = await serve(t, origin)
    await oneMore(first, origin)
    first.failWith = fail(strategy === 'active-passive' ? 'FENCED' : 'BUS_UNAVAILABLE', 'not taken')
    // A sender may wait for ever.
    void origin.provoke().catch(() => {})
    await first.until(({ refused }) => refused.length > 0, 30_000)
    await first.stop()
    const next = await serve(t, origin, leftBy(first))
    await next.until(({ emitted }) => emitted.length > 0, 30_000)
    const nameOf = ({ id, eventId, data }: Emit<unknown>) =>
      origin.idsOfSeeing === true ? String(data) : (eventId ?? id ?? String(data))
    assert.deepEqual(next.emitted.map(nameOf), first.refused.map(nameOf))
  })

  if (adapter.contested === true) {
    test(`${type}: what another consumer took and never finished is taken up`, async (t) => {
      const origin = await setUp(t)
      const leave = await origin.takenByAnother!()
      const harness = await serve(t, origin)
      await leave()
      await harness.until(({ emitted }) => emitted.length > 0, 30_000)
    })
  }

  if (strategy === 'active-passive') {
    test(`${type}: the next one goes on where the last one stopped`, async (t) => {
      const origin = await setUp(t)
      const first = await serve(t, origin)
      await oneMore(first, origin)
      await oneMore(first, origin)
      await first.stop()
      const next = await serve(t, origin, leftBy(first))
      await oneMore(next, origin)
      const told = new Set(first.emitted.map(({ id }) => id))
      assert.deepEqual(
        next.emitted.filter(({ id }) => id !== undefined && told.has(id)),
        [],
        'told again',
      )
    })

    test(`${type}: refused by the bus it ends, without another event`, async (t) => {
      const origin = await setUp(t)
      // Hot standby goes on listening: what becomes of it is the runtime's business.
      if (guaranteeOf(definition, definition.spec.parse(origin.spec)) === 'hot-standby') return
      const harness = await serve(t, origin)
      await oneMore(harness, origin)
      const ended = new Promise((resolve) => harness.onEnd(resolve))
      harness.failWith = fail('FENCED', 'term 2 rules')
      await Promise.race([origin.provoke().catch(() => {}), ended])
      assert.equal(((await ended) as { code?: string }).code, 'FENCED')
      assert.equal(harness.emitted.length, 1)
    })
  }

  if (definition.prepare !== undefined) {
    test(`${type}: warm on a standby it consumes nothing, and ends when told`, async (t) => {
      const origin = await setUp(t)
      const harness: Harness<any> = serveInHarness(definition, origin.spec, {
        ...origin.options?.(() => harness),
        prepareOnly: true,
      })
      t.after(() => harness.stop())
      await Promise.race([origin.provoke().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 100))])
      assert.equal(await harness.stop(), undefined)
      assert.deepEqual([harness.emitted, harness.advanced, harness.snapshot], [[], [], null])
    })
  }
}

/** What a next leader has of this one. */
const leftBy = ({ position, snapshot }: Harness<any>) => ({ resume: position, snapshot })

const FORGETFUL: ReadonlySet<Guarantee> = new Set(['hot-standby', 'at-most-once'])

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object') {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}

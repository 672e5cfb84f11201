/** What the hooks of every provider must keep towards the registrar: the contract of `HookTarget`, against the provider's fake. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { HookRegistration, HookTarget, SourceDefinition } from '../../src/source.ts'
import { serveInHarness } from '../harness.ts'
import type { FakeApi } from '../servers/fakes/api.ts'

export interface Provider {
  api: FakeApi
  /** A spec with one target, `webhook.url` `https://us` and endpoint `/e`; its secret is `s/secret`, its API token `s/token` (`good`). */
  spec: Record<string, unknown>
  /** Another one that wants other events. */
  otherEvents: Record<string, unknown>
  /** Adds that many hooks of others to the place. */
  addOthers(count: number): void
  /** Our hooks as the provider has them, secret included. */
  ours(): { id: string; secret: unknown }[]
}

/** @param setUp starts the fake and closes it with the test */
export function hooksContract(
  definition: SourceDefinition<any, any>,
  setUp: (t: TestContext) => Promise<Provider>,
): void {
  const { type } = definition
  const { signal } = new AbortController()
  const secrets = { 's/token': 'good', 's/secret': 'new\nold', 's/user': 'user' }

  const registrationOf = async (spec: unknown, more: Record<string, string> = {}): Promise<HookRegistration> => {
    const harness = serveInHarness(definition, spec, { secrets: { ...secrets, ...more }, http: async () => {} })
    try {
      const registration = await definition.hooks!(harness.context)
      assert.ok(registration !== null)
      return registration
    } finally {
      await harness.stop()
    }
  }
  const targetOf = async (spec: unknown, more?: Record<string, string>): Promise<HookTarget<any>> => {
    const [target, ...others] = await (await registrationOf(spec, more)).targets(signal)
    assert.deepEqual(others, [])
    return target!
  }
  const ourOnes = async (target: HookTarget<any>) => (await target.list(signal)).filter((hook) => target.isOurs(hook))

  test(`${type}: the hooks of all pages are listed; ours is made, recognised, changed and deleted`, async (t) => {
    const { spec, otherEvents, addOthers, ours } = await setUp(t)
    addOthers(230)
    const target = await targetOf(spec)
    assert.equal((await target.list(signal)).length, 230)
    assert.deepEqual(await ourOnes(target), [])
    const { hook } = await target.create(signal)
    assert.deepEqual(
      ours().map(({ id, secret }) => [id, secret]),
      [[hook.id, 'new']],
      'the first line of the secret is for the provider',
    )
    const [listed] = await ourOnes(target)
    assert.equal(listed!.id, hook.id)
    assert.ok(target.isCurrent(listed!), JSON.stringify(listed))
    assert.ok(target.isCurrent(hook))

    const changed = await targetOf(otherEvents)
    const [before] = await ourOnes(changed)
    assert.equal(before!.id, hook.id)
    assert.ok(!changed.isCurrent(before!))
    await changed.update!(before!, signal)
    const [after] = await ourOnes(changed)
    assert.ok(changed.isCurrent(after!), JSON.stringify(after))

    const rotated = await targetOf(spec, { 's/secret': 'newer' })
    await rotated.update!(after!, signal)
    assert.equal(ours()[0]!.secret, 'newer')

    await target.delete(hook, signal)
    await target.delete(hook, signal)
    assert.deepEqual([ours(), (await target.list(signal)).length], [[], 230])
  })

  test(`${type}: what is wanted changes with the secret, the events and the URL, and with nothing else`, async (t) => {
    const { spec, otherEvents } = await setUp(t)
    const wanted = async (...args: Parameters<typeof registrationOf>) =>
      JSON.stringify((await registrationOf(...args)).wanted)
    const now = await wanted(spec)
    assert.equal(await wanted(spec), now)
    assert.equal(await wanted(spec, { 's/token': 'another' }), now, 'who manages the hook is not seen in it')
    assert.equal(await wanted(spec, { 's/secret': 'new\nothers' }), now)
    assert.notEqual(await wanted(spec, { 's/secret': 'newer' }), now)
    assert.notEqual(await wanted(otherEvents), now)
    assert.notEqual(await wanted({ ...spec, webhook: { ...(spec.webhook as object), url: 'https://moved' } }), now)
  })

  test(`${type}: no hooks are managed without a URL`, async (t) => {
    const { spec } = await setUp(t)
    const webhook = { ...(spec.webhook as object), url: '' }
    const harness = serveInHarness(definition, { ...spec, webhook }, { secrets, http: async () => {} })
    t.after(() => harness.stop())
    assert.equal(await definition.hooks!(harness.context), null)
  })

  test(`${type}: what the provider answers is said without secrets, its rate limits are passed on, the signal cuts`, async (t) => {
    const { api, spec } = await setUp(t)
    const failure = async (work: Promise<unknown>) => {
      const error = await work.then(
        () => assert.fail('it worked'),
        (error) => error,
      )
      assert.equal(error.code, 'ORIGIN_UNAVAILABLE', String(error))
      return error as Error & { details: { status: number; retryAfterMs: number } }
    }
    const wrong = await failure((await targetOf(spec, { 's/token': 'wrong-token' })).list(signal))
    assert.match(wrong.message, /answered 401: \S+/)
    assert.ok(!/wrong-token/.test(wrong.message))
    const target = await targetOf(spec)
    api.faults.push({ status: 429, headers: { 'retry-after': '77' } })
    assert.equal((await failure(target.list(signal))).details.retryAfterMs, 77_000)
    const later = new Date(Date.now() + 60_000).toUTCString()
    api.faults.push({ status: 503, headers: { 'retry-after': later } })
    const { retryAfterMs } = (await failure(target.list(signal))).details
    assert.ok(retryAfterMs > 50_000 && retryAfterMs <= 60_000, `${retryAfterMs}`)
    api.faults.push({ status: 502, body: 'bad gateway' })
    assert.match((await failure(target.create(signal))).message, /answered 502/)
    api.delayMs = 10_000
    const stop = new AbortController()
    const startedMs = performance.now()
    const slow = target.list(stop.signal).then(
      () => 'it answered',
      () => 'cut',
    )
    setTimeout(() => stop.abort(), 50)
    assert.equal(await slow, 'cut')
    assert.ok(performance.now() - startedMs < 5_000)
    api.delayMs = 0
    await api.close()
    assert.match((await failure(target.list(signal))).message, /does not answer/)
  })
}

/** The registrar over the memory bus and a provider in memory: exactly one hook, whichever replicas come and go. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { z } from 'zod'
import { type FakeClock, fakeClock, passUntil as until } from '../../../test/fake-clock.ts'
import type { KeyValue } from '../../bus/bus.ts'
import { memoryBusWorld } from '../../bus/memory.ts'
import { fail } from '../../core/errors.ts'
import { silentLogger } from '../../core/log.ts'
import { withoutCredentials } from '../../core/url-credentials.ts'
import { defineSource, type Hook, type HookRegistration, type HookTarget } from '../../source.ts'
import { localSecrets } from '../secrets.ts'
import { createHookSecrets } from './records.ts'
import { runRegistrar } from './registrar.ts'
import { removeRemote } from './remove.ts'

interface Made extends Hook {
  url: string
  secret: string
}

/** A provider that keeps its hooks here, and never refuses a second one with the same URL. */
interface Provider {
  hooks: Made[]
  calls: string[]
  /** Called before each call; may throw or wait. */
  before: (call: string) => Promise<void> | void
  target(url: string, secret: string, more?: Partial<HookTarget<Made>>): HookTarget<Made>
}

function provider(): Provider {
  let ids = 8
  const self: Provider = {
    hooks: [],
    calls: [],
    before: () => {},
    target(url, secret, more) {
      const call = async <T>(name: string, signal: AbortSignal, work: () => T): Promise<T> => {
        self.calls.push(name)
        await self.before(name)
        signal.throwIfAborted()
        return work()
      }
      return {
        name: 'repos/acme/shop',
        list: (signal) => call('list', signal, () => self.hooks.map((hook) => ({ ...hook, secret: '' }))),
        isOurs: (hook) => hook.url === url,
        isCurrent: (hook) => hook.url === url,
        create: (signal) =>
          call('create', signal, () => {
            const hook = { id: String(ids++), url, secret }
            self.hooks.push(hook)
            return { hook }
          }),
        update: ({ id }, signal) =>
          call('update', signal, () => void Object.assign(self.hooks.find((hook) => hook.id === id)!, { url, secret })),
        delete: ({ id }, signal) =>
          call('delete', signal, () => {
            self.hooks = self.hooks.filter((hook) => hook.id !== id)
          }),
        ...more,
      }
    },
  }
  return self
}

const source = { namespace: 'default', name: 'es' }

interface Replica {
  conditions: (string | null)[]
  stop(): Promise<void>
}

/** A replica's registrar. */
function start(
  t: TestContext,
  {
    clock,
    kv,
    index = 0,
    registration,
  }: { clock: FakeClock; kv: KeyValue | null; index?: number; registration: () => Promise<HookRegistration | null> },
): Replica {
  const stop = new AbortController()
  const conditions: (string | null)[] = []
  const done = runRegistrar(
    {
      source,
      entry: 'e',
      holder: `es-${index}`,
      registration,
      kv,
      clock,
      log: silentLogger,
      redact: withoutCredentials,
      condition: (text) => conditions.push(text),
    },
    stop.signal,
  )
  const replica: Replica = {
    conditions,
    async stop() {
      stop.abort()
      await done
    },
  }
  t.after(() => replica.stop())
  return replica
}

const wants = (target: HookTarget<any>, wanted: unknown = 'w', more: Partial<HookRegistration> = {}) => {
  const registration: HookRegistration = { wanted, targets: async () => [target], removeOnDelete: true, ...more }
  return async () => registration
}

const setUp = (t: TestContext) => {
  const world = memoryBusWorld()
  const connect = (index: number) => {
    const bus = world.connect(`host-${index}`)
    t.after(() => bus.close())
    return bus
  }
  return { clock: fakeClock(), connect, provider: provider() }
}

test('five replicas start at once: exactly one hook, and one of them looked for all', async (t) => {
  const { clock, connect, provider } = setUp(t)
  provider.hooks.push({ id: '1', url: 'http://others', secret: '' })
  const replicas = Array.from({ length: 5 }, (_, index) =>
    start(t, { clock, index, kv: connect(index).kv, registration: wants(provider.target('http://us', 's')) }),
  )
  await until(clock, () => replicas.every(({ conditions }) => conditions.includes(null)), 'all are content')
  assert.deepEqual(
    provider.hooks.map(({ url }) => url),
    ['http://others', 'http://us'],
  )
  assert.deepEqual(provider.calls, ['list', 'create', 'list'])
  await clock.advance(600_000)
  await until(clock, () => provider.calls.length >= 5, 'they look again')
  assert.deepEqual(new Set(provider.calls.slice(3)), new Set(['list']))
  assert.ok(provider.calls.length <= 20, `${provider.calls.length} calls in ten minutes`)
})

test('without a lease they look twice and keep the oldest', async (t) => {
  const { clock, provider } = setUp(t)
  const replicas = Array.from({ length: 5 }, (_, index) =>
    start(t, { clock, index, kv: null, registration: wants(provider.target('http://us', 's')) }),
  )
  await until(clock, () => replicas.every(({ conditions }) => conditions.includes(null)), 'all are content', 50)
  assert.equal(provider.hooks.length, 1)
  assert.equal(provider.hooks[0]!.id, '8')
})

test('an existing hook is adopted and made as wanted once; of several the oldest stays', async (t) => {
  const { clock, connect, provider } = setUp(t)
  provider.hooks = ['11', '9', '10'].map((id) => ({ id, url: 'http://us', secret: 'old' }))
  const { conditions } = start(t, {
    clock,
    kv: connect(0).kv,
    registration: wants(provider.target('http://us', 'new')),
  })
  await until(clock, () => conditions.includes(null), 'content')
  assert.deepEqual(provider.hooks, [{ id: '9', url: 'http://us', secret: 'new' }])
  assert.deepEqual(provider.calls, ['list', 'delete', 'delete', 'update'])
  await clock.advance(70_000)
  await until(clock, () => provider.calls.length > 4, 'looks again')
  assert.deepEqual(provider.calls.slice(4), ['list'])
})

test('a rotated secret and a changed URL update the hook within seconds; no second one is made', async (t) => {
  const { clock, connect, provider } = setUp(t)
  let now = wants(provider.target('http://us', 's1'), 's1')
  start(t, { clock, kv: connect(0).kv, registration: () => now() })
  await until(clock, () => provider.hooks.length === 1, 'made')
  now = wants(provider.target('http://us', 's2'), 's2')
  await until(clock, () => provider.hooks[0]!.secret === 's2', 'rotated')
  now = wants(provider.target('http://moved', 's2'), 'moved')
  await until(clock, () => provider.hooks[0]!.url === 'http://moved', 'moved')
  assert.deepEqual(
    provider.hooks.map(({ id }) => id),
    ['8'],
  )
})

test('a hook that was deleted or changed at the provider comes back', async (t) => {
  const { clock, connect, provider } = setUp(t)
  start(t, { clock, kv: connect(0).kv, registration: wants(provider.target('http://us', 's')) })
  await until(clock, () => provider.hooks.length === 1, 'made')
  provider.hooks = []
  await until(clock, () => provider.hooks.length === 1, 'made again')
  provider.hooks[0]!.url = 'http://elsewhere'
  await until(clock, () => provider.hooks[0]!.url === 'http://us', 'changed back')
  assert.equal(provider.hooks.length, 1)
})

test('failures: shown, tried again for ever, by one replica; a rate limit is waited for', async (t) => {
  const { clock, connect, provider } = setUp(t)
  let failing: unknown = fail('ORIGIN_UNAVAILABLE', 'answered 500')
  provider.before = () => {
    if (failing !== null) throw failing
  }
  const replicas = [0, 1, 2].map((index) =>
    start(t, { clock, index, kv: connect(index).kv, registration: wants(provider.target('http://us', 's')) }),
  )
  const shown = (replica: Replica) => replica.conditions.at(-1)
  await until(
    clock,
    () => replicas.every((one) => shown(one) === 'hooks: repos/acme/shop: answered 500'),
    'all show it',
  )
  await until(clock, () => provider.calls.length >= 6, 'tried again')
  failing = fail('ORIGIN_UNAVAILABLE', 'answered 429', { retryAfterMs: 900_000 })
  await until(clock, () => replicas.every((one) => shown(one)?.endsWith('429') === true), 'all show the limit', 5000)
  const before = provider.calls.length
  await clock.advance(800_000)
  assert.equal(provider.calls.length, before, 'asked before the time that the provider said')
  failing = null
  await until(clock, () => replicas.every((one) => shown(one) === null), 'all content', 5000)
  assert.equal(provider.hooks.length, 1)
})

test('one target that fails does not keep the others from theirs', async (t) => {
  const { clock, connect, provider } = setUp(t)
  const good = provider.target('http://us', 's')
  const bad: HookTarget<Made> = {
    ...good,
    name: 'repos/acme/gone',
    list: async () => {
      throw fail('ORIGIN_UNAVAILABLE', 'answered 404', { status: 404 })
    },
  }
  const registration = async () => ({ wanted: 1, targets: async () => [bad, good], removeOnDelete: false })
  const { conditions } = start(t, { clock, kv: connect(0).kv, registration })
  await until(clock, () => conditions.includes('hooks: repos/acme/gone: answered 404'), 'shown')
  assert.equal(provider.hooks.length, 1)
})

test('the holder of the lease dies while it creates: another one goes on, and there is one hook', async (t) => {
  const { clock, connect, provider } = setUp(t)
  const dead = Promise.withResolvers<void>()
  provider.before = (call) => (call === 'create' ? dead.promise : undefined)
  const first = connect(0)
  start(t, { clock, index: 0, kv: first.kv, registration: wants(provider.target('http://us', 's')) })
  await until(clock, () => provider.calls.includes('create'), 'creating')
  first.link.cut()
  provider.before = () => {}
  const second = start(t, {
    clock,
    index: 1,
    kv: connect(1).kv,
    registration: wants(provider.target('http://us', 's')),
  })
  await until(clock, () => second.conditions.includes(null), 'the other one took over')
  // The zombie wakes up, and its request reaches the provider after all.
  dead.resolve()
  await until(clock, () => provider.hooks.length === 1 && provider.calls.length > 6, 'one hook is left')
})

test('a secret that the provider makes is kept; a hook whose secret nobody knows is replaced', async (t) => {
  const { clock, connect, provider } = setUp(t)
  provider.hooks.push({ id: '1', url: 'http://us', secret: '?' })
  const bus = connect(0)
  const target: HookTarget<Made> = provider.target('http://us', '', {
    secretAtCreation: true,
    async create() {
      const hook = { id: '50', url: 'http://us', secret: 'whsec' }
      provider.hooks.push(hook)
      return { hook, secret: 'whsec' }
    },
  })
  const { conditions } = start(t, { clock, kv: bus.kv, registration: wants(target) })
  await until(clock, () => conditions.includes(null), 'content')
  assert.deepEqual(
    provider.hooks.map(({ id }) => id),
    ['50'],
  )
  const secretOf = createHookSecrets({ source, entry: 'e', kv: connect(1).kv, clock, hide() {} })
  assert.equal(await secretOf('repos/acme/shop'), 'whsec')
  assert.equal(await secretOf('other'), null)
  const { calls } = provider
  const before = calls.length
  await clock.advance(70_000)
  await until(clock, () => calls.length > before, 'looks again')
  assert.deepEqual(calls.slice(before), ['list'])
})

test('what is kept in the store does not give secrets away', async (t) => {
  const { clock, connect, provider } = setUp(t)
  const { kv } = connect(0)
  const { conditions } = start(t, {
    clock,
    kv,
    registration: wants(provider.target('http://us', 'hunter2'), { secret: 'hunter2' }),
  })
  await until(clock, () => conditions.includes(null), 'content')
  const stored = Buffer.from((await kv.get('hooks/default/es/e/records'))!.value).toString()
  assert.ok(!stored.includes('hunter2'))
})

test('a bus that cannot be reached is shown, and waited for', async (t) => {
  const { clock, connect, provider } = setUp(t)
  const bus = connect(0)
  bus.link.cut()
  const { conditions } = start(t, { clock, kv: bus.kv, registration: wants(provider.target('http://us', 's')) })
  await until(clock, () => conditions.at(-1)?.startsWith('hooks: ') === true, 'shown')
  assert.deepEqual(provider.calls, [])
  bus.link.mend()
  await until(clock, () => provider.hooks.length === 1, 'made')
})

test('removal: our hooks go, those of others stay, what fails is tried again until time is up', async (t) => {
  const { clock, connect, provider } = setUp(t)
  const bus = connect(0)
  const place = { file: 'f', line: 1, column: 1 }
  const options = (removeOnDelete: boolean) => ({
    object: { ...source, entries: [{ type: 'hooked', name: 'e', spec: {}, place }] },
    secrets: localSecrets({ secrets: [], configMaps: [] }),
    kv: bus.kv,
    holder: 'supervisor',
    clock,
    log: silentLogger,
    load: async () =>
      defineSource({
        type: 'hooked',
        title: '',
        summary: '',
        strategy: 'active-active',
        guarantee: 'at-least-once',
        because: '',
        ids: '…',
        spec: z.any(),
        event: z.any(),
        filterable: true,
        examples: [],
        listens: () => [],
        async serve() {},
        hooks: wants(provider.target('http://us', 's'), 'w', { removeOnDelete }),
      }),
  })
  const registrar = start(t, { clock, kv: bus.kv, registration: wants(provider.target('http://us', 's')) })
  await until(clock, () => registrar.conditions.includes(null), 'made')
  await registrar.stop()
  provider.hooks.push({ id: '1', url: 'http://others', secret: '' })
  assert.deepEqual(await removeRemote(options(false), AbortSignal.timeout(10_000)), [])
  assert.equal(provider.hooks.length, 2)

  let failures = 2
  provider.before = (call) => {
    if (call === 'delete' && failures-- > 0) throw fail('ORIGIN_UNAVAILABLE', 'answered 502')
  }
  const removed = removeRemote(options(true), AbortSignal.timeout(10_000))
  let left: string[] | undefined
  void removed.then((texts) => {
    left = texts
  })
  await until(clock, () => left !== undefined, 'removed')
  assert.deepEqual(left, [])
  assert.deepEqual(
    provider.hooks.map(({ id }) => id),
    ['1'],
  )
  assert.equal(await bus.kv.get('hooks/default/es/e/records'), null)

  provider.hooks.push({ id: '2', url: 'http://us', secret: '' })
  failures = Number.POSITIVE_INFINITY
  const end = new AbortController()
  const given = removeRemote(options(true), end.signal)
  const before = provider.calls.length
  await until(clock, () => provider.calls.length > before + 4, 'tried twice')
  end.abort()
  assert.deepEqual(await given, ['es/e: repos/acme/shop: answered 502'])
})

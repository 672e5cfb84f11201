/** Resource against a real kube-apiserver: what is told, resuming, what was missed, filters, every error. */
import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { endOf, type Harness, serveInHarness } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { apiOnly, kubernetesBinaries } from '../../test/servers/kubernetes/build.ts'
import { type Kubernetes, startKubernetes } from '../../test/servers/kubernetes.ts'
import { type KubeObject, resources } from '../kube/resources.ts'
import { pathOf, valueAt } from './resource/fields.ts'
import { objectFilter } from './resource/filter.ts'
import { eventPayload, objectJson } from './resource/payload.ts'
import type { ResourcePosition } from './resource/serve.ts'
import { labelSelector } from './resource/spec.ts'
import resource from './resource.ts'

const skip = without('Kubernetes', kubernetesBinaries(apiOnly))
const all = ['ADD', 'UPDATE', 'DELETE']
const valid = { version: 'v1', resource: 'configmaps', eventTypes: all }
const specOf = (more: object) => resource.spec.parse({ ...valid, ...more })

test('what Argo Events refuses, and what cannot work, with a remedy', () => {
  const filter = (more: object) => ({ filter: more })
  for (const [more, path, severity] of [
    [{ version: '' }, ['version'], 'error'],
    [{ resource: '' }, ['resource'], 'error'],
    [{ eventTypes: undefined }, ['eventTypes'], 'error'],
    [filter({ labels: [{ key: '', value: 'v' }] }), ['filter', 'labels', 0, 'key'], 'error'],
    [{ eventTypes: ['ADD', 'BOGUS'] }, ['eventTypes', 1], 'warning'],
    [{ eventTypes: [] }, ['eventTypes'], 'warning'],
    [filter({ labels: [{ key: 'a', operation: '~', value: 'v' }] }), ['filter', 'labels', 0], 'warning'],
    [filter({ labels: [{ key: 'a b', value: 'v' }] }), ['filter', 'labels', 0], 'warning'],
    [filter({ labels: [{ key: 'a', operation: 'in', value: 'x,y z' }] }), ['filter', 'labels', 0], 'warning'],
    [filter({ labels: [{ key: 'a', operation: 'exists', value: 'v' }] }), ['filter', 'labels', 0], 'warning'],
    [filter({ labels: [{ key: 'a', operation: 'gt', value: 'v' }] }), ['filter', 'labels', 0], 'warning'],
    [filter({ fields: [{ key: 'a', operation: 'in', value: 'v' }] }), ['filter', 'fields', 0, 'operation'], 'warning'],
    [filter({ fields: [{ key: 'a.#.b', value: 'v' }] }), ['filter', 'fields', 0, 'key'], 'warning'],
    [filter({ fields: [{ key: 'a', value: '(' }] }), ['filter', 'fields', 0, 'value'], 'warning'],
    [filter({ createdBy: 'yesterday' }), ['filter', 'createdBy'], 'warning'],
  ] as const) {
    const findings = resource.validate!(specOf(more))
    assert.deepEqual(
      findings.map((one) => [one.path, one.severity, one.fatal === true, one.remedy !== undefined]),
      [[path, severity, severity === 'warning', true]],
    )
  }
  assert.deepEqual(resource.validate!(specOf({})), [])
})

test('label selectors as the API takes them', () => {
  const labels = [
    ['a', '', '1'],
    ['b', '=', '2'],
    ['c', '!=', '3'],
    ['d', 'in', '4,5'],
    ['e', 'notin', '6'],
    ['f/g', 'exists', ''],
    ['h', '!', ''],
    ['i', 'gt', '7'],
    ['j', 'lt', '8'],
  ].map(([key, operation, value]) => ({ key, operation, value }))
  const spec = specOf({ filter: { labels } })
  assert.deepEqual(resource.validate!(spec), [])
  assert.equal(labelSelector(spec), 'a==1,b=2,c!=3,d in (4,5),e notin (6),f/g,!h,i>7,j<8')
})

test('paths into objects', () => {
  const object = { a: { 'b.c': ['x', { d: null }] } }
  assert.equal(valueAt(object, pathOf('a.b\\.c.0')!), 'x')
  assert.equal(valueAt(object, pathOf('a.b\\.c.1.d')!), null)
  assert.equal(valueAt(object, pathOf('a.b.c')!), undefined)
  assert.equal(valueAt(object, ['a', 'constructor']), undefined)
  for (const text of ['', 'a..b', 'a.#', 'a.*', 'a|b', 'a.@keys', '.a']) assert.equal(pathOf(text), null)
})

test('filters: all must hold; text values match anywhere, others as empty text, what is missing never', () => {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'hello-1',
      creationTimestamp: '2026-11-24T10:00:00Z',
      managedFields: [
        { operation: 'Update', time: '2026-11-24T10:00:05Z' },
        { operation: 'Apply', time: '2026-11-24T11:00:00Z' },
      ],
    },
    data: { text: 'some text', number: 5 },
  }
  const at = Date.parse('2026-11-24T10:00:00.700Z')
  const passes = (filter: object, type: 'ADD' | 'UPDATE' | 'DELETE' = 'ADD', startMs = at) =>
    objectFilter(specOf({ filter }), startMs, () => at + 1_000)(type, object)
  const field = (key: string, value: string, operation = '') => ({ fields: [{ key, operation, value }] })
  assert.ok(passes({ prefix: 'hello', ...field('data.text', '^some') }))
  assert.ok(!passes({ prefix: 'other' }))
  assert.ok(passes(field('data.text', 'e t', '==')))
  assert.ok(!passes(field('data.text', 'e t', '!=')))
  assert.ok(passes(field('data.number', '^$')))
  assert.ok(!passes(field('data.missing', '.*')))
  assert.ok(!passes(field('data.missing', 'x', '!=')))
  assert.ok(passes({ createdBy: '2026-11-24T10:00:00Z' }))
  assert.ok(!passes({ createdBy: '2026-11-24T09:59:59Z' }))
  assert.ok(passes({ afterStart: true }), 'the same second')
  assert.ok(!passes({ afterStart: true }, 'ADD', at + 1_000))
  assert.ok(passes({ afterStart: true }, 'UPDATE', at + 5_000))
  assert.ok(!passes({ afterStart: true }, 'UPDATE', at + 6_000), 'an Apply does not count')
  assert.ok(passes({ afterStart: true }, 'DELETE', at + 1_000))
})

test('payload as Argo Events, keys of objects sorted', () => {
  const object: KubeObject = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { uid: 'u', name: 'p', resourceVersion: '123', namespace: 'n' },
  }
  assert.equal(
    eventPayload('ADD', { body: objectJson(object), oldBody: null }, specOf({ resource: 'pods' })),
    '{"type":"ADD","body":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n","resourceVersion":"123","uid":"u"}},"oldBody":null,"group":"","version":"v1","resource":"pods"}',
  )
})

suite('on a kube-apiserver', { skip, timeout: 300_000 }, () => {
  let cluster: Kubernetes
  before(async () => {
    cluster = await startKubernetes({ controllers: false })
    process.env.KUBECONFIG = cluster.kubeconfig
  })
  after(async () => {
    delete process.env.KUBECONFIG
    await cluster?.stop()
  })

  const maps = resources.configmaps
  const put = (namespace: string, name: string, text: string, labels: Record<string, string> = {}) =>
    cluster.client.apply(
      maps,
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data: { text } },
      { manager: 'test' },
    )
  const remove = (namespace: string, name: string) => cluster.client.delete(maps, { namespace, name })
  function serve(
    t: TestContext,
    more: object,
    options: Parameters<typeof serveInHarness<any, ResourcePosition>>[2] = {},
  ): Harness<ResourcePosition> {
    const harness = serveInHarness(resource, { ...valid, ...more }, options)
    t.after(() => harness.stop())
    return harness
  }
  const fine = (harness: Harness<ResourcePosition>) =>
    harness.until(({ conditions }) => conditions.includes(null), 15_000)
  const toldOf = (harness: Harness<ResourcePosition>) =>
    harness.emitted.map(({ text }) => {
      const { type, body, oldBody } = JSON.parse(text)
      return `${type} ${body.metadata.name} ${oldBody?.data.text ?? '-'} ${body.data?.text ?? '-'}`
    })
  /** What the next leader has of this one. */
  const left = (harness: Harness<ResourcePosition>) => {
    const last = harness.emitted.at(-1)?.position
    const advanced = harness.advanced.at(-1)
    const newest = [last, advanced].filter((one) => one !== undefined)
    newest.sort((a, b) => Number(a.mark.resourceVersion) - Number(b.mark.resourceVersion) || a.base - b.base)
    return { snapshot: harness.snapshot, resume: newest.at(-1)! }
  }

  test('what is there is told once; then every change; the next leader goes on, with what was before', async (t) => {
    const namespace = await cluster.namespace('story')
    await put(namespace, 'old', '0')
    const first = serve(t, { namespace })
    await first.until(({ emitted }) => emitted.length === 1, 15_000)
    await fine(first)
    await put(namespace, 'a', '1')
    await put(namespace, 'a', '2')
    await remove(namespace, 'old')
    await first.until(({ emitted }) => emitted.length === 4)
    assert.deepEqual(toldOf(first), ['ADD old - 0', 'ADD a - 1', 'UPDATE a 1 2', 'DELETE old - 0'])
    await first.stop()

    await put(namespace, 'a', '3')
    await put(namespace, 'b', '1')
    await put(namespace, 'c', '1')
    await remove(namespace, 'c')
    const next = serve(t, { namespace }, left(first))
    await next.until(({ emitted }) => emitted.length === 4, 15_000)
    assert.deepEqual(toldOf(next), ['UPDATE a 2 3', 'ADD b - 1', 'ADD c - 1', 'DELETE c - 1'])

    // As if nothing that the second one told had become durable.
    const again = serve(t, { namespace }, left(first))
    await again.until(({ emitted }) => emitted.length === 4, 15_000)
    assert.deepEqual(
      again.emitted.map(({ id }) => id),
      next.emitted.map(({ id }) => id),
    )
  })

  /** What a standby sees while Argo Events' Pods serve. */
  const look = async (t: TestContext, more: object) => {
    const { context } = serve(t, more, { prepareOnly: true })
    return { atMs: Date.now(), look: await resource.look!(context) }
  }
  /** An event of theirs: of what was there or happened, as their informer tells it. */
  const theirs = (type: string, body: KubeObject) => ({
    id: 'random',
    atMs: Date.now(),
    data: eventPayload(type as 'ADD', { body: objectJson(body), oldBody: null }, specOf({})),
  })
  const get = (namespace: string, name: string) => cluster.client.get(maps, { namespace, name }) as Promise<KubeObject>

  for (const afterStart of [false, true]) {
    test(`the first term after Argo Events' Pods: what they did not tell is told, deletions too, and nothing again (afterStart: ${afterStart})`, async (t) => {
      const namespace = await cluster.namespace(`after-${afterStart ? 'start' : 'all'}`)
      const more = { namespace, ...(afterStart ? { filter: { afterStart } } : {}) }
      for (const name of ['same', 'changed', 'gone', 'theirs']) await put(namespace, name, '0')
      const there = await Promise.all(['same', 'changed', 'gone', 'theirs'].map((name) => get(namespace, name)))
      const seen = await look(t, more)
      const told = there.map((body) => theirs('ADD', body))
      // They tell of this still,
      await put(namespace, 'changed', '1')
      told.push(theirs('UPDATE', await get(namespace, 'changed')))
      await put(namespace, 'new-theirs', '1')
      told.push(theirs('ADD', await get(namespace, 'new-theirs')))
      await remove(namespace, 'theirs')
      told.push(theirs('DELETE', there[3]!))
      // and nobody of this.
      await put(namespace, 'changed', '2')
      await put(namespace, 'new', '1')
      await put(namespace, 'short', '1')
      await remove(namespace, 'short')
      await remove(namespace, 'gone')
      const first = serve(t, more, { predecessor: { told, seen } })
      const expected = ['UPDATE changed 1 2', 'ADD new - 1', 'ADD short - 1', 'DELETE short - 1', 'DELETE gone - 0']
      await first.until(({ emitted }) => emitted.length === expected.length, 15_000)
      await put(namespace, 'last', '1')
      await first.until(({ emitted }) => emitted.length > expected.length, 15_000)
      await first.stop()
      assert.deepEqual(toldOf(first), [...expected, 'ADD last - 1'])
    })
  }

  test("the API server has forgotten what they told, and when they were looked at, if at all: each object's final state, unless they told it", async (t) => {
    const namespace = await cluster.namespace('unseen')
    for (const name of ['same', 'changed']) await put(namespace, name, '0')
    const there = await Promise.all(['same', 'changed'].map((name) => get(namespace, name)))
    await put(namespace, 'changed', '1')
    await put(namespace, 'new', '1')
    const forgotten = { ...there[0]!, metadata: { ...there[0]!.metadata, uid: 'gone', resourceVersion: '999999999' } }
    const told = [...there, forgotten].map((body) => theirs('ADD', body))
    for (const seen of [null, { atMs: Date.now(), look: '999999999' }]) {
      const first = serve(t, { namespace }, { predecessor: { told, seen } })
      await first.until(({ emitted }) => emitted.length === 2, 30_000)
      await fine(first)
      await first.stop()
      assert.deepEqual(toldOf(first).sort(), ['ADD new - 1', 'UPDATE changed - 1'])
    }
  })

  for (const looked of [true, false])
    test(`what theirs were behind with when they ended is told, deletions too (looked at: ${looked})`, async (t) => {
      const namespace = await cluster.namespace(`behind-${looked}`)
      for (const name of ['same', 'changed', 'gone']) await put(namespace, name, '0')
      const there = await Promise.all(['same', 'changed', 'gone'].map((name) => get(namespace, name)))
      await put(namespace, 'changed', '1')
      await put(namespace, 'new', '1')
      await remove(namespace, 'gone')
      const seen = looked ? await look(t, { namespace }) : null
      const told = there.map((body) => theirs('ADD', body))
      const first = serve(t, { namespace }, { predecessor: { told, seen } })
      const expected = ['UPDATE changed 0 1', 'ADD new - 1', 'DELETE gone - 0']
      await first.until(({ emitted }) => emitted.length >= expected.length, 15_000)
      await fine(first)
      await first.stop()
      assert.deepEqual(toldOf(first), expected)
    })

  test('there and back: what theirs told after our last term is not told again', async (t) => {
    const namespace = await cluster.namespace('back')
    await put(namespace, 'a', '0')
    const first = serve(t, { namespace })
    await first.until(({ emitted }) => emitted.length === 1, 15_000)
    await fine(first)
    await first.stop()
    await put(namespace, 'a', '1')
    const told = [theirs('UPDATE', await get(namespace, 'a'))]
    await put(namespace, 'a', '2')
    const next = serve(t, { namespace }, { ...left(first), predecessor: { told, seen: null } })
    await next.until(({ emitted }) => emitted.length === 1, 15_000)
    await next.stop()
    assert.deepEqual(toldOf(next), ['UPDATE a 1 2'])
  })

  test('there, back and there again after theirs told more than can be read: what they told long ago is not told again', async (t) => {
    const namespace = await cluster.namespace('again')
    await put(namespace, 'a', '0')
    const first = serve(t, { namespace })
    await first.until(({ emitted }) => emitted.length === 1, 15_000)
    await fine(first)
    await first.stop()
    await put(namespace, 'long-ago', '1')
    const seen = await look(t, { namespace })
    await put(namespace, 'lately', '1')
    const told = [theirs('ADD', await get(namespace, 'lately'))]
    await put(namespace, 'nobody', '1')
    const next = serve(t, { namespace }, { ...left(first), predecessor: { told, more: true, seen } })
    await next.until(({ emitted }) => emitted.length === 1, 15_000)
    await fine(next)
    await next.stop()
    assert.deepEqual(toldOf(next), ['ADD nobody - 1'])
  })

  test('after a gap that the API server does not remember: each object once, deletions too, by the same ids', async (t) => {
    const namespace = await cluster.namespace('gap')
    for (const name of ['same', 'changed', 'gone']) await put(namespace, name, '0')
    const first = serve(t, { namespace })
    await first.until(({ emitted }) => emitted.length === 3, 15_000)
    await fine(first)
    await first.stop()
    await put(namespace, 'changed', '1')
    await put(namespace, 'changed', '2')
    await put(namespace, 'new', '1')
    const { snapshot, resume } = left(first)
    const watched = serve(t, { namespace }, { snapshot, resume })
    await watched.until(({ emitted }) => emitted.length === 3, 15_000)
    await remove(namespace, 'gone')
    await watched.until(({ emitted }) => emitted.length === 4)
    const forgotten = { ...resume, mark: { ...resume.mark, resourceVersion: '999999999' } }
    const next = serve(t, { namespace }, { snapshot, resume: forgotten })
    await next.until(({ emitted }) => emitted.length === 3, 30_000)
    await fine(next)
    assert.deepEqual(
      toldOf(next).sort(),
      ['ADD new - 1', 'DELETE gone - -', 'UPDATE changed 0 2'].sort().map((text) => text.replace('0 2', '- 2')),
    )
    const ids = new Set(watched.emitted.map(({ id }) => id))
    for (const { id, text } of next.emitted) assert.ok(ids.has(id), text)
    const deletion = next.emitted.map(({ text }) => JSON.parse(text)).find(({ type }) => type === 'DELETE')
    assert.deepEqual(Object.keys(deletion.body.metadata), ['name', 'namespace', 'resourceVersion', 'uid'])
    assert.deepEqual([deletion.body.apiVersion, deletion.body.kind], ['v1', 'ConfigMap'])
  })

  test('labels are matched by the server, what comes to match is an ADD; types that are not asked for are not told', async (t) => {
    const namespace = await cluster.namespace('labels')
    await put(namespace, 'in', '0', { app: 'x' })
    await put(namespace, 'out', '0')
    const labels = [{ key: 'app', value: 'x' }]
    const harness = serve(t, { namespace, eventTypes: ['ADD', 'DELETE'], filter: { labels, afterStart: true } })
    await fine(harness)
    await put(namespace, 'in', '1', { app: 'x' })
    await put(namespace, 'new', '1', { app: 'x' })
    await put(namespace, 'new', '2')
    await put(namespace, 'new', '3', { app: 'x' })
    await remove(namespace, 'in')
    await harness.until(({ emitted }) => emitted.length === 4, 10_000)
    assert.deepEqual(
      toldOf(harness).map((text) => text.split(' ').slice(0, 2).join(' ')),
      ['ADD new', 'DELETE new', 'ADD new', 'DELETE in'],
    )
    assert.equal(new Set(harness.emitted.map(({ id }) => id)).size, 4)
  })

  test('the API server is restarted: said, and the next attempt misses nothing', async (t) => {
    const namespace = await cluster.namespace('restart')
    const first = serve(t, { namespace })
    await fine(first)
    await cluster.restartApiServer()
    const ended = await endOf(first)
    assert.equal((ended as { code?: string }).code, 'KUBERNETES_UNAVAILABLE')
    await put(namespace, 'a', '1')
    const next = serve(t, { namespace }, left(first))
    await next.until(({ emitted }) => emitted.length === 1, 15_000)
    assert.deepEqual(toldOf(next), ['ADD a - 1'])
  })

  test('what is wrong is said: a permission, a kind that is not there, no server, no configuration', async (t) => {
    const namespace = await cluster.namespace('wrong')
    const admin = process.env.KUBECONFIG
    try {
      for (const prepareOnly of [false, true]) {
        process.env.KUBECONFIG = cluster.kubeconfigFor(await cluster.account(namespace, 'nobody', []), namespace)
        assert.match(
          (await endOf(serve(t, { namespace }, { prepareOnly }))).message,
          /could not list configmaps in namespace "wrong".*apiGroups: \[""\], resources: \["configmaps"\], verbs: \["list"\]/,
        )
        const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }]
        process.env.KUBECONFIG = cluster.kubeconfigFor(await cluster.account(namespace, 'lister', rules), namespace)
        if (!prepareOnly)
          assert.match((await endOf(serve(t, { namespace }))).message, /could not watch configmaps.*verbs: \["watch"\]/)
        process.env.KUBECONFIG = admin
        const unknown = { group: 'example.com', version: 'v1', resource: 'things' }
        assert.match(
          (await endOf(serve(t, unknown, { prepareOnly }))).message,
          /does not have things\.example\.com \(v1\): is its CustomResourceDefinition installed\?/,
        )
        process.env.KUBECONFIG = '/nowhere/kubeconfig'
        assert.match(
          (await endOf(serve(t, { namespace }, { prepareOnly }))).message,
          /failed to get a K8s rest config for the event source e, .*\/nowhere\/kubeconfig/,
        )
      }
    } finally {
      process.env.KUBECONFIG = admin
    }
  })
})

/** The Kubernetes client and the informer on a real kube-apiserver, which is killed, cut off and made slow. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts'
import { kubeConfiguration } from '../../src/kube/configuration.ts'
import { createInformer, type Informer } from '../../src/kube/informer.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { without } from '../servers/cache.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, startKubernetes } from '../servers/kubernetes.ts'
import { startProxy, type TcpProxy } from '../servers/proxy.ts'
import { until } from './bus.ts'

const { configmaps } = resources
const manager = { manager: 'one' }

suite('client and informer on a real API server', {
  skip: without('Kubernetes', kubernetesBinaries(apiOnly)),
  timeout: 180_000,
}, () => {
  let cluster: Kubernetes
  let namespace: string
  let count = 0
  before(async () => {
    cluster = await startKubernetes({ controllers: false })
  })
  after(() => cluster?.stop())

  const config = (name: string, data: Record<string, string> = {}, resourceVersion?: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    data,
  })
  const fresh = async () => {
    namespace = await cluster.namespace(`client-${count++}`)
    return cluster.client
  }

  test('an object from its creation to its end', async () => {
    const client = await fresh()
    const place = { namespace, name: 'a' }
    assert.equal(await client.get(configmaps, place), null)
    const made = await client.create(configmaps, config('a', { x: '1' }))
    await assert.rejects(client.create(configmaps, config('a')), { code: 'KUBERNETES_CONFLICT' })
    const changed = await client.update(configmaps, config('a', { x: '2' }, made.metadata.resourceVersion))
    assert.deepEqual(changed?.data, { x: '2' })
    await assert.rejects(client.update(configmaps, config('a', {}, made.metadata.resourceVersion)), {
      code: 'KUBERNETES_CONFLICT',
    })
    await assert.rejects(client.delete(configmaps, { ...place }, { uid: 'another' }), { code: 'KUBERNETES_CONFLICT' })
    assert.equal(await client.delete(configmaps, place, { uid: made.metadata.uid }), true)
    assert.equal(await client.delete(configmaps, place), false)
    assert.equal(await client.update(configmaps, config('a', {}, changed?.metadata.resourceVersion)), null)
  })

  test('apply owns what it names; another manager is a conflict unless it forces; what is wrong is named', async () => {
    const client = await fresh()
    await client.apply(configmaps, config('a', { x: '1', y: '1' }), manager)
    const other = { manager: 'two', force: false }
    const conflict = await client.apply(configmaps, config('a', { x: '2' }), other).catch((error) => error)
    assert.equal(conflict.code, 'KUBERNETES_CONFLICT')
    assert.match(conflict.message, /"one"/)
    const forced = await client.apply(configmaps, config('a', { x: '2' }), { manager: 'two' })
    assert.deepEqual(forced.data, { x: '2', y: '1' })
    const left = await client.apply(configmaps, config('a', { z: '1' }), manager)
    assert.deepEqual(left.data, { x: '2', z: '1' }, 'what it names no more goes, what another owns stays')
    await assert.rejects(client.apply(configmaps, { ...config('a'), dat: {} }, manager), { code: 'KUBERNETES_INVALID' })
    await assert.rejects(
      client.apply(configmaps, { ...config('b'), metadata: { name: 'b', namespace: 'nowhere' } }, manager),
      {
        code: 'KUBERNETES_INVALID',
      },
    )
    await assert.rejects(client.list(resources.eventsources), /CustomResourceDefinition/)
  })

  test('a list of many pages is whole, and selectors select', async () => {
    const client = await fresh()
    const names = Array.from({ length: 25 }, (_, i) => `c${String(i).padStart(2, '0')}`)
    await Promise.all(
      names.map((name, i) => {
        const object = config(name)
        return client.create(configmaps, {
          ...object,
          metadata: { ...object.metadata, labels: { half: String(i % 2) } },
        })
      }),
    )
    const { items, resourceVersion } = await client.list(configmaps, { namespace, pageSize: 4 })
    assert.deepEqual(items.map(({ metadata }) => metadata.name).sort(), names)
    assert.ok(items.every(({ kind, apiVersion }) => kind === 'ConfigMap' && apiVersion === 'v1'))
    assert.match(resourceVersion, /^\d+$/)
    assert.equal((await client.list(configmaps, { namespace, labelSelector: 'half=1' })).items.length, 12)
    assert.equal((await client.list(configmaps, { namespace, fieldSelector: 'metadata.name=c03' })).items.length, 1)
  })

  test('a resourceVersion of long ago is gone', async () => {
    const client = await fresh()
    // What a server keeps of changes begins with its start.
    await cluster.restartApiServer()
    await assert.rejects(
      async () => {
        for await (const _ of client.watch(configmaps, { resourceVersion: '1' }));
      },
      { code: 'KUBERNETES_GONE' },
    )
  })

  test('a kubeconfig is enough; a token of nobody is refused', async () => {
    const { client: admin } = cluster
    const configuration = await kubeConfiguration({ clock: systemClock, env: { KUBECONFIG: cluster.kubeconfig } })
    const client = createKubeClient(configuration)
    assert.ok(
      (await client.list(resources.namespaces)).items.length >= (await admin.list(resources.namespaces)).items.length,
    )
    await client.close()
    await assert.rejects(cluster.clientWith('nobody').list(configmaps), /401/)
  })

  suite('an informer', () => {
    let proxy: TcpProxy
    before(async () => {
      proxy = await startProxy(Number(new URL(cluster.url).port))
    })
    after(() => proxy.close())

    /** Follows by way of the proxy what the administrator does directly. */
    async function following(t: { after(work: () => unknown): void }, silenceMs = 90_000) {
      const admin = await fresh()
      const client: KubeClient = createKubeClient({
        server: `https://127.0.0.1:${proxy.port}`,
        namespace,
        tls: { ca: Buffer.from(cluster.ca) },
        authorization: async () => `Bearer ${cluster.tokenOf('admin')}`,
      })
      const informer: Informer = createInformer({
        ...{ client, resource: configmaps, namespace, clock: systemClock, log: silentLogger, silenceMs },
      })
      const stop = new AbortController()
      const running = informer.run(stop.signal)
      t.after(async () => {
        stop.abort()
        await running
        await client.close()
      })
      await informer.whenSynced()
      const own = namespace
      const put = (name: string, x: string) =>
        admin.apply(configmaps, { ...config(name, { x }), metadata: { name, namespace: own } }, manager)
      const sees = (name: string, x: string | undefined) =>
        until(
          `${name} is ${x}`,
          () => (informer.get(`${own}/${name}`)?.data as { x?: string } | undefined)?.x === x,
          30_000,
        )
      const remove = (name: string) => admin.delete(configmaps, { namespace: own, name })
      return { informer, put, sees, remove }
    }

    test('follows what is made, changed and deleted', async (t) => {
      const { put, sees, remove } = await following(t)
      for (let i = 0; i < 5; i++) {
        await put('a', String(i))
        await sees('a', String(i))
      }
      await remove('a')
      await sees('a', undefined)
    })

    test('survives a dropped connection', async (t) => {
      const { put, sees } = await following(t)
      await put('a', '1')
      await sees('a', '1')
      proxy.cut()
      await put('a', '2')
      await sees('a', '2')
    })

    test('notices a stream that has gone silent', async (t) => {
      const { put, sees } = await following(t, 1_500)
      await put('a', '1')
      await sees('a', '1')
      proxy.faults.dropToClient = true
      await put('a', '2')
      await systemClock.sleep(500)
      proxy.faults.dropToClient = false
      await sees('a', '2')
    })

    test('survives a slow API server', async (t) => {
      const { put, sees } = await following(t)
      proxy.faults.delayMs = 700
      t.after(() => {
        proxy.faults.delayMs = 0
      })
      proxy.cut()
      await put('a', '1')
      await sees('a', '1')
    })

    test('survives kill -9 of the API server, with changes that it did not see', async (t) => {
      const { informer, put, sees, remove } = await following(t)
      await put('a', '1')
      await put('b', '1')
      await sees('b', '1')
      proxy.faults.refuse = true
      proxy.cut()
      await until('it is told', () => informer.trouble !== null)
      await cluster.restartApiServer()
      await remove('a')
      await put('b', '2')
      proxy.faults.refuse = false
      await sees('a', undefined)
      await sees('b', '2')
      // All is well again once the watch has begun, which is after what was listed is told.
      await until('it is told no more', () => informer.trouble === null)
    })
  })
})

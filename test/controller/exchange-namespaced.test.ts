/** `vedette migrate -n`: an Argo Events that looks after one namespace, with another namespace beside it; there, back, and back to a manifest. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { stringify } from 'yaml'
import { type KubeObject, type Resource, resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, startKubernetes } from '../servers/kubernetes.ts'
import { asTheirController, goldenIn, THEIR_IMAGE, theirCrds, theirInstall } from './argo-events.ts'
import { envOf, IMAGE, main, playControllers, vedetteAt } from './exchange-rig.ts'
import { reportReady } from './kubelet.ts'
import { type Plain, resourceFor } from './rig.ts'

const skip = without(
  'Kubernetes',
  kubernetesBinaries(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']),
)
const TEAM = 'team'
const { deployments, eventsources, configmaps } = resources

/** Its namespace-install.yaml: no webhook, rights in the one namespace. */
const theirNamespaceInstall = (): KubeObject[] =>
  theirInstall({ namespace: TEAM, args: ['controller', '--namespaced'] }).flatMap((object) => {
    if (/webhook/.test(object.metadata.name)) return []
    return [
      object.kind === 'ClusterRole'
        ? { ...object, kind: 'Role', metadata: { ...object.metadata, namespace: TEAM } }
        : object,
    ]
  })

suite('the exchange in one namespace', { skip, timeout: 300_000 }, () => {
  let kubernetes: Kubernetes
  const undo: (() => unknown)[] = []
  const clock = goldenIn('jetstream-exotic-tls-calendar.yaml', TEAM)
  const other = goldenIn('kafka-calendar.yaml', 'other')
  const options = ['-n', TEAM, '--image', IMAGE, '--timeout', '60']
  const vedette = (...args: string[]) => vedetteAt(kubernetes)(...args)
  const get = (resource: Resource, namespace: string, name: string) =>
    kubernetes.client.get(resource, { namespace, name }) as Promise<Plain | null>
  const made = async (namespace: string) =>
    (await kubernetes.client.list(deployments, { namespace, labelSelector: 'controller=eventsource-controller' }))
      .items as Plain[]
  const imageIn = async (namespace: string) =>
    (await made(namespace)).map(({ spec }) => spec.template.spec.containers[0].image as string)

  before(async () => {
    kubernetes = await startKubernetes()
    const { client } = kubernetes
    for (const object of [...theirCrds, ...theirNamespaceInstall()])
      await client.apply(resourceFor(object), object, { manager: 'kubectl' })
    await kubernetes.namespace('other')
    for (const object of [...clock.input, ...other.input])
      await until('its kind is served', () =>
        client.apply(resourceFor(object), object, { manager: 'user' }).then(
          () => true,
          () => false,
        ),
      )
    for (const golden of [clock, other]) await asTheirController(client, golden)
    undo.push(reportReady(client), playControllers(kubernetes, [clock], { home: TEAM, namespaced: true }))
  })
  after(async () => {
    for (const step of undo.reverse()) await step()
    await kubernetes?.stop()
  })

  test('plan is of that namespace, and of the CRDs that are the cluster’s', async () => {
    const { code, out, err } = await vedette('migrate', 'plan', ...options, '--json')
    assert.equal(code, 0, err)
    const { steps } = JSON.parse(out) as { steps: { object: string; fate: string }[] }
    const places = steps.map(({ object }) => object.split(' ')[1]!)
    assert.ok(
      places.every((place) => place.startsWith(`${TEAM}/`) || place.endsWith('.argoproj.io')),
      places.join('\n'),
    )
    const fates = Object.fromEntries(steps.map(({ object, fate }) => [object, fate]))
    assert.equal(fates[`Deployment ${TEAM}/controller-manager`], 'replaced')
    assert.equal(fates[`EventSource ${TEAM}/calendar`], 'taken over')
  })

  test('a controller of the whole cluster beside it would take the objects back: refused', async () => {
    const { client } = kubernetes
    await kubernetes.namespace('argo-events')
    const whole = theirInstall({ namespace: 'argo-events' }).find(
      ({ metadata }) => metadata.name === 'controller-manager',
    )!
    await client.create(deployments, whole)
    const { code, err } = await vedette('migrate', 'plan', ...options)
    assert.equal(code, 1)
    assert.match(err, /refused: Deployment argo-events\/controller-manager: .*whole cluster.*--accept two-controllers/)
    await client.delete(deployments, whole.metadata)
  })

  test('who may not read the CRDs is told so, and nothing is begun', async () => {
    const everything = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
    const token = await kubernetes.account(TEAM, 'its-administrator', everything)
    const env = { ...envOf(kubernetes), KUBECONFIG: kubernetes.kubeconfigFor(token, TEAM) }
    const { code, err } = await new Promise<{ code: unknown; err: string }>((resolve) =>
      execFile(process.execPath, [main, 'migrate', 'apply', ...options], { env }, (error, _, err) =>
        resolve({ code: error?.code, err }),
      ),
    )
    assert.equal(code, 1)
    assert.match(err, /refused: what could not be read: .*customresourcedefinitions/)
    assert.equal(await get(configmaps, TEAM, 'vedette-migrate-backup'), null)
  })

  test('there: ours looks after the one namespace, and nothing of the other is touched', async () => {
    const before = await made('other')
    const { code, err } = await vedette('migrate', 'apply', ...options)
    assert.equal(code, 0, err)
    assert.deepEqual(await imageIn(TEAM), [IMAGE])
    const manager = (await get(deployments, TEAM, 'controller-manager'))!
    assert.deepEqual(manager.spec.template.spec.containers[0].args, ['controller', '--namespaced'])
    const specs = (all: Plain[]) => all.map(({ metadata, spec }) => [metadata.uid, metadata.generation, spec])
    assert.deepEqual(specs(await made('other')), specs(before))
    assert.deepEqual((await get(eventsources, 'other', 'calendar'))!.metadata.finalizers, ['eventsource-controller'])
  })

  test('back: as it was', async () => {
    const { code, err } = await vedette('migrate', 'back', ...options)
    assert.equal(code, 0, err)
    await assertTheirs()
    assert.equal(await get(configmaps, TEAM, 'vedette-migrate-backup'), null)
  })

  const assertTheirs = async () => {
    assert.deepEqual(await imageIn(TEAM), ['img:1'])
    const manager = (await get(deployments, TEAM, 'controller-manager'))!
    const [container] = manager.spec.template.spec.containers
    assert.deepEqual([container.image, container.args], [THEIR_IMAGE, ['controller', '--namespaced']])
    assert.deepEqual(manager.spec.selector.matchLabels, { 'app.kubernetes.io/name': 'controller-manager' })
    assert.equal(manager.status.readyReplicas, 1)
  }

  /** As docs/migrate.md has it: theirs is deleted, and what `vedette manifests` prints applied. */
  const exchangeByHand = async () => {
    const { client } = kubernetes
    await client.delete(deployments, { namespace: TEAM, name: 'controller-manager' })
    const { code, out, err } = await vedette('manifests', '--namespaced', '--namespace', TEAM, '--image', IMAGE)
    assert.equal(code, 0, err)
    const { objectsOf } = await import('./rig.ts')
    for (const object of objectsOf(out))
      await client.apply(resourceFor(object), object, { manager: 'kubectl', force: true } as never)
    await until('our Pods serve', async () => (await imageIn(TEAM))[0] === IMAGE, 60_000)
  }
  /** Their manifests name no namespace: `kubectl -n` says it. */
  const manifest = () =>
    theirNamespaceInstall()
      .filter(({ kind }) => kind !== 'Namespace')
      .map(({ metadata: { namespace: _, ...metadata }, ...object }) => stringify({ ...object, metadata }))
      .join('---\n')

  test('after an exchange by hand nothing is put aside: back is refused, and goes to a manifest, a file or a URL', async () => {
    await exchangeByHand()
    const refused = await vedette('migrate', 'back', ...options)
    assert.equal(refused.code, 1)
    assert.match(refused.err, /nothing of Argo Events' was put aside.*--manifest.*--accept nothing-to-restore/)
    assert.deepEqual(await imageIn(TEAM), [IMAGE])

    const file = path.join(kubernetes.dir, 'namespace-install.yaml')
    writeFileSync(file, manifest())
    const plan = await vedette('migrate', 'plan', '--back', ...options, '--manifest', file, '--json')
    assert.equal(plan.code, 0, plan.err)
    assert.match(plan.out, /"Deployment team\/controller-manager",\s+"fate": "restored"/)
    const back = await vedette('migrate', 'back', ...options, '--manifest', file)
    assert.equal(back.code, 0, back.err)
    await assertTheirs()

    await exchangeByHand()
    const server = createServer((_, response) => response.end(manifest())).listen(0, '127.0.0.1')
    undo.push(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/install.yaml`
    const fromUrl = await vedette('migrate', 'back', ...options, '--manifest', url)
    assert.equal(fromUrl.code, 0, fromUrl.err)
    await assertTheirs()
  })

  test('a manifest that cannot be had, or is none, is said before anything is done', async () => {
    const file = path.join(kubernetes.dir, 'broken.yaml')
    writeFileSync(file, '<html>')
    for (const [from, why] of [
      ['/nowhere.yaml', /\/nowhere\.yaml cannot be read: .*ENOENT/],
      [file, /broken\.yaml.*no object of Kubernetes/],
    ] as const) {
      const { code, err } = await vedette('migrate', 'back', ...options, '--manifest', from)
      assert.notEqual(code, 0)
      assert.match(err, why)
    }
    await assertTheirs()
  })
})

/** What is shipped, in the hands of a real API server. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { installFiles } from '../../src/controller/install/files.ts'
import { install } from '../../src/controller/install/install.ts'
import { readSnapshot } from '../../src/controller/migrate/snapshot.ts'
import { uninstall } from '../../src/controller/migrate/uninstall.ts'
import { render } from '../../src/controller/render.ts'
import { settingsFrom } from '../../src/controller/settings.ts'
import { systemClock } from '../../src/core/clock.ts'
import { isVedetteError } from '../../src/core/errors.ts'
import type { KubeObject } from '../../src/kube/resources.ts'
import { loadManifest } from '../../src/manifest/load.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { startKubernetes } from '../servers/kubernetes.ts'
import { definitions, objectsOf, type Plain, type Rig, resourceFor, resources, startRig } from './rig.ts'

const root = path.resolve(import.meta.dirname, '../..')
const upstream = path.resolve(root, '../shared/data/upstream')
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))

suite('the install', { skip, timeout: 300_000 }, () => {
  let rig: Rig
  before(async () => {
    rig = await startRig()
    await rig.kubernetes.namespace('examples')
  })
  after(() => rig.stop())

  test('every object of both files is accepted, and its CRDs are structural', async () => {
    const files = installFiles(await definitions())
    for (const file of ['install.yaml', 'namespace-install.yaml']) {
      for (const object of objectsOf(files.get(file)!)) {
        await rig.admin.apply(resourceFor(object), object, { manager: 'kubectl' })
      }
    }
    for (const name of ['eventsources', 'eventbus', 'sensors']) {
      const crd = (await rig.get(resources.customresourcedefinitions, '', `${name}.argoproj.io`))!
      const states = Object.fromEntries(
        crd.status.conditions.map(({ type, status }: Record<string, string>) => [type, status]),
      )
      assert.equal(states.NonStructuralSchema, undefined, JSON.stringify(crd.status.conditions))
      assert.equal(states.Established, 'True')
      // kubectl keeps the last applied text in an annotation of at most 256 KiB.
      assert.ok(JSON.stringify(crd.spec).length < 200_000)
    }
  })

  test('applied over Argo Events’ install it takes no right from those who run as its account, and names them', async (t) => {
    const { kubernetes, admin } = rig
    const [group, name] = ['rbac.authorization.k8s.io', 'argo-events-role']
    // What its install leaves: more than ours needs, and some Pods need just that.
    const resourceNames = ['pods', 'configmaps', 'services', 'persistentvolumeclaims']
    const theirs = { apiGroups: [''], resources: resourceNames, verbs: ['get', 'list', 'watch', 'delete'] }
    const head = { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: { name } }
    await admin.apply(resources.clusterroles, { ...head, rules: [theirs] } as KubeObject, { manager: 'kubectl' })
    const token = await kubernetes.account('argo-events', 'argo-events-sa', [])
    const binding = {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'argo-events-binding' },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: 'argo-events-sa', namespace: 'argo-events' }],
    }
    await admin.apply(resources.clusterrolebindings, binding, { manager: 'kubectl' })
    for (const namespaced of [false, true]) {
      for (const object of install({ definitions: await definitions(), namespaced }))
        await admin.apply(resourceFor(object), object, { manager: 'installer' })
    }
    assert.deepEqual((await rig.get(resources.clusterroles, '', name))!.rules, [theirs])
    const client = kubernetes.clientWith(token)
    for (const resource of [resources.pods, resources.configmaps, resources.persistentvolumeclaims])
      await client.list(resource, { namespace: 'examples' })

    const controller = await rig.startController()
    t.after(() => controller.stop())
    const uses = (kind: string, spec: object, serviceAccountName = 'argo-events-sa') =>
      admin.create(resourceFor({ apiVersion: 'argoproj.io/v1alpha1', kind, metadata: { name } }), {
        apiVersion: 'argoproj.io/v1alpha1',
        kind,
        metadata: { name: `as-${serviceAccountName}`, namespace: 'argo-events' },
        spec: { ...spec, template: { serviceAccountName } },
      })
    await uses('EventBus', { jetstreamExotic: { url: 'nats://x:4222' } }, 'default')
    const eventBusName = 'as-default'
    await uses('EventSource', { eventBusName, calendar: { a: { interval: '1m' } } })
    await uses('EventSource', { eventBusName, calendar: { a: { interval: '1m' } } }, 'own')
    await uses('Sensor', { eventBusName, dependencies: [], triggers: [] })
    const named = (resource: Parameters<Rig['get']>[0], name: string) =>
      until(`${resource.kind} ${name} is named`, async () =>
        /run as "argo-events-sa", the account of Argo Events' controller/.test(
          (await rig.condition(resource, 'argo-events', name, 'ControllerAccount'))?.message ?? '',
        ),
      )
    await named(resources.eventsources, 'as-argo-events-sa')
    await named(resources.sensors, 'as-argo-events-sa')
    await until('the other is deployed', async () => {
      const deployed = await rig.condition(resources.eventsources, 'argo-events', 'as-own', 'Deployed')
      return deployed?.status === 'True'
    })
    assert.equal(await rig.condition(resources.eventsources, 'argo-events', 'as-own', 'ControllerAccount'), undefined)
  })

  const folders = ['event-sources', 'eventbus'].map((folder) => path.join(upstream, folder)).filter(existsSync)
  const files = [...folders, path.join(root, 'examples')].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => path.join(folder, name)),
  )
  test("the CRDs take every example, upstream's and ours, and keep all of it", async () => {
    for (const file of files) {
      for (const object of objectsOf(readFileSync(file, 'utf8'))) {
        if (!object.apiVersion.startsWith('argoproj.io/')) continue
        const named: KubeObject = { ...object, metadata: { ...object.metadata, namespace: 'examples' } }
        const kept = await rig.admin.apply(resourceFor(object), named, { manager: 'user' })
        assert.deepEqual(kept.spec, object.spec, file)
      }
    }
    assert.ok(files.length > 3)
  })

  test('null is absent, unknown fields stay, wrong JSON types are refused', async () => {
    const source = (spec: object) => ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'EventSource',
      metadata: { name: 'x', namespace: 'examples' },
      spec,
    })
    const spec = {
      webhook: { a: null, b: { port: '1', endpoint: null, more: { x: [1] } } },
      template: null,
      newType: { c: 1 },
    }
    const kept = await rig.admin.create(resources.eventsources, source(spec))
    assert.deepEqual((kept.spec as typeof spec).newType, { c: 1 })
    assert.deepEqual((kept.spec as typeof spec).webhook.b.more, { x: [1] })
    for (const wrong of [{ webhook: { a: { port: 12 } } }, { replicas: 'two' }, { calendar: ['x'] }]) {
      await assert.rejects(
        rig.admin.create(resources.eventsources, { ...source(wrong), metadata: { name: 'y', namespace: 'examples' } }),
        (error) => isVedetteError(error, 'KUBERNETES_INVALID'),
      )
    }
  })

  test('what is rendered for every example is accepted by the API server', async () => {
    for (const file of files) {
      const text = readFileSync(file, 'utf8')
      const loaded = await loadManifest([{ file, text }])
      for (const object of render(loaded, settingsFrom({})).objects) {
        const here: KubeObject = { ...object, metadata: { ...object.metadata, namespace: 'examples' } }
        if (object.kind === 'RoleBinding') (here.subjects as { namespace: string }[])[0]!.namespace = 'examples'
        await rig.admin.apply(resourceFor(object), here, { manager: 'user' })
      }
    }
  })

  test('every Pod that is silent about it fits the restricted Pod Security level', async () => {
    const namespace = 'restricted'
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    const manager = { manager: 'test' }
    await rig.admin.apply(
      resources.namespaces,
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } },
      manager,
    )
    const texts = [
      `
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default }
spec: { jetstream: { version: latest } }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: low }
spec: { replicas: 2, webhook: { e: { port: "80", endpoint: /e, method: POST, authSecret: { name: s, key: k } } } }
`,
      ...files.map((file) => readFileSync(file, 'utf8')),
    ]
    const rendered = await Promise.all(
      texts.map(async (text) => render(await loadManifest([{ file: '', text }]), settingsFrom({})).objects),
    )
    const controller = install({ definitions: await definitions() }).filter(({ kind }) => kind === 'Deployment')
    let pods = 0
    for (const [i, object] of [...rendered.flat(), ...controller].entries()) {
      if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') continue
      // upstream's File example asks for a volume of the node
      const { spec, metadata } = (object.spec as { template: { spec: Plain; metadata: Plain } }).template
      if (spec.volumes?.some((volume: Plain) => volume.hostPath !== undefined)) continue
      const claims = ((object.spec as Plain).volumeClaimTemplates ?? []).map(({ metadata: { name } }: Plain) => ({
        name,
        emptyDir: {},
      }))
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...metadata, name: `pod-${i}`, namespace },
        spec: { ...spec, volumes: [...spec.volumes, ...claims] },
      }
      // As its user would have made it.
      await rig.kubernetes.account(namespace, spec.serviceAccountName ?? 'default', [])
      await rig.admin.create(resources.pods, pod)
      pods++
    }
    assert.ok(pods >= 5)
    const privileged = { containers: [{ name: 'main', image: 'x', securityContext: { privileged: true } }] }
    await assert.rejects(
      rig.admin.create(resources.pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', namespace },
        spec: privileged,
      } as never),
      /restricted/,
    )
  })

  test('uninstall takes everything away in an order in which nothing hangs, though no controller runs', async () => {
    const ns = await rig.kubernetes.namespace('leaving')
    const held = (kind: string, finalizer: string, spec: string) =>
      `apiVersion: argoproj.io/v1alpha1\nkind: ${kind}\nmetadata: { name: x, namespace: ${ns}, finalizers: [${finalizer}] }\nspec: ${spec}\n---\n`
    const served = () => rig.admin.list(resources.sensors).then(() => rig.admin.list(resources.eventbus))
    const { until } = await import('../contract/bus.ts')
    await until('the kinds are served', () =>
      served().then(
        () => true,
        () => false,
      ),
    )
    await rig.apply(held('EventBus', 'eventbus-controller', '{ jetstream: { version: latest } }'))
    await rig.apply(held('EventSource', 'eventsource-controller', '{ github: { e: {} } }'))
    const env = { ...process.env, KUBECONFIG: rig.kubernetes.kubeconfig, KUBERNETES_SERVICE_HOST: '' }
    const main = path.join(root, 'src/cli/main.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [main, 'uninstall', '--plan'], { env })
    const objects = install({ definitions: await definitions() })
    const away = async (crds: boolean) => {
      const snapshot = await readSnapshot(rig.admin, { home: 'argo-events' })
      const work = { client: rig.admin, clock: systemClock, tell: () => {}, patienceMs: 60_000 }
      await uninstall(work, snapshot, { objects, crds })
    }
    const there = async () => await rig.get(resources.deployments, 'argo-events', 'controller-manager')
    assert.match(stdout, /left +EventSource leaving\/x\n.*its finalizer is taken off/)
    assert.match(stdout, /left +CustomResourceDefinition eventbus/)
    assert.notEqual(await there(), null)
    await away(false)
    assert.equal(await there(), null)
    for (const resource of [resources.eventsources, resources.eventbus])
      assert.deepEqual((await rig.get(resource, ns, 'x'))!.metadata.finalizers ?? [], [])
    await rig.apply(held('EventBus', 'eventbus-controller', '{ jetstream: { version: latest } }'))
    await away(true)
    for (const name of ['eventsources', 'eventbus', 'sensors'])
      assert.equal(await rig.get(resources.customresourcedefinitions, '', `${name}.argoproj.io`), null)
    assert.equal(await rig.get(resources.validatingwebhookconfigurations, '', 'webhook.argo-events.argoproj.io'), null)
    // Once more: nothing is left to do.
    await away(true)
  })
})

suite("upstream's CRDs", {
  skip: skip || (existsSync(upstream) ? false : "upstream's files are not at ../shared"),
  timeout: 300_000,
}, () => {
  test('take our objects too', async (t) => {
    const kubernetes = await startKubernetes({ controllers: false })
    t.after(() => kubernetes.stop())
    for (const file of readdirSync(path.join(upstream, 'crds'))) {
      const [crd] = objectsOf(readFileSync(path.join(upstream, 'crds', file), 'utf8'))
      await kubernetes.client.apply(resources.customresourcedefinitions, crd!, { manager: 'upstream' })
    }
    const { until } = await import('../contract/bus.ts')
    for (const resource of [resources.eventsources, resources.eventbus]) {
      await until('the kind is served', () =>
        kubernetes.client.list(resource).then(
          () => true,
          () => false,
        ),
      )
    }
    for (const name of readdirSync(path.join(root, 'examples')).filter((name) => name.endsWith('.yaml'))) {
      for (const object of objectsOf(readFileSync(path.join(root, 'examples', name), 'utf8'))) {
        if (!object.apiVersion.startsWith('argoproj.io/')) continue
        const here = { ...object, metadata: { ...object.metadata, namespace: 'default' } }
        await kubernetes.client.apply(resourceFor(object), here, { manager: 'user' })
      }
    }
  })
})

/**
 * The exchange on a real API server with Kubernetes' own controllers: from the state that Argo Events leaves, there by `vedette migrate`, with our
 * controller at work, and back. Pods do not run here (test/faults has those); what is looked at is every object.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, suite, test } from 'node:test'
import { type KubeObject, type Resource, resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, startKubernetes } from '../servers/kubernetes.ts'
import { asTheirController, goldenIn, theirCrds, theirInstall, theirSecrets } from './argo-events.ts'
import { envOf, IMAGE, main, playControllers, vedetteAt } from './exchange-rig.ts'
import { reportReady } from './kubelet.ts'
import { type Plain, resourceFor } from './rig.ts'

const skip = without(
  'Kubernetes',
  kubernetesBinaries(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']),
)
/** Of a type that this version lacks: somebody has to accept that nobody looks after it. */
const ofNewerVersion: KubeObject = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'EventSource',
  metadata: { name: 'review', namespace: 'shop' },
  spec: { gerrit: { changes: { webhook: { endpoint: '/', port: '12000', url: 'http://here' } } } },
}
const { deployments, eventsources, eventbus, services, secrets, configmaps, statefulsets } = resources

suite('the exchange', { skip, timeout: 300_000 }, () => {
  let kubernetes: Kubernetes
  const undo: (() => unknown)[] = []
  const shop = goldenIn('jetstream-webhook.yaml', 'shop')
  const clock = goldenIn('jetstream-exotic-tls-calendar.yaml', 'clock')
  const lines = goldenIn('kafka-calendar.yaml', 'lines')
  const all = [shop, clock, lines]

  before(async () => {
    kubernetes = await startKubernetes()
    const { client } = kubernetes
    const put = async (objects: readonly KubeObject[], manager: string) => {
      for (const object of objects) await client.apply(resourceFor(object), object, { manager })
    }
    await put([...theirCrds, ...theirInstall({ namespace: 'argo-events' })], 'kubectl')
    for (const namespace of ['shop', 'clock', 'lines']) await kubernetes.namespace(namespace)
    await kubernetes.account('shop', 'sa1', [])
    for (const { input } of all)
      for (const object of input)
        await until('its kind is served', () =>
          client.apply(resourceFor(object), object, { manager: 'user' }).then(
            () => true,
            () => false,
          ),
        )
    await client.apply(eventsources, ofNewerVersion, { manager: 'user' })
    const [bus] = shop.input
    const owner = (await client.get(eventbus, bus!.metadata))!
    for (const secret of theirSecrets('default', 'shop')) {
      const { apiVersion, kind } = owner
      const reference = { apiVersion, kind, name: owner.metadata.name, uid: owner.metadata.uid!, controller: true }
      await client.create(secrets, { ...secret, metadata: { ...secret.metadata, ownerReferences: [reference] } })
    }
    for (const golden of all) await asTheirController(client, golden)
    const config = { jetstream: { url: 'nats://n:4222', streamConfig: 'maxage: 24h\nreplicas: 1\n' } }
    const { apiVersion, kind } = owner
    const status = { apiVersion, kind, metadata: bus!.metadata, status: { config } }
    await client.applyStatus(eventbus, status, { manager: 'argo-events' })
    undo.push(reportReady(client), playControllers(kubernetes, all))
  })
  after(async () => {
    for (const step of undo.reverse()) await step()
    await kubernetes?.stop()
  })

  const servers = async () => (await get(statefulsets, 'shop', 'eventbus-default-js'))!
  const serverPods = async () => {
    const { items } = await kubernetes.client.list(resources.pods, {
      namespace: 'shop',
      labelSelector: 'eventbus-name',
    })
    return items.map(({ metadata: { name, uid } }) => `${name} ${uid}`).sort()
  }
  const vedette = (...args: string[]) => vedetteAt(kubernetes)(...args)
  const get = (resource: Resource, namespace: string, name: string) =>
    kubernetes.client.get(resource, { namespace, name }) as Promise<Plain | null>
  const accepted = ['--accept', 'types']
  const cluster = ['--image', IMAGE, '--timeout', '60']
  const made = async (namespace: string) =>
    (await kubernetes.client.list(deployments, { namespace, labelSelector: 'controller=eventsource-controller' }))
      .items as Plain[]
  /** What must outlive both ways. */
  const lasting = async () => ({
    service: (await get(services, 'shop', 'webhook-eventsource-svc'))!,
    server: (await get(secrets, 'shop', 'eventbus-default-js-server'))!.data,
    client: (await get(secrets, 'shop', 'eventbus-default-js-client-auth'))!.data,
  })
  const kept = ({ service, ...others }: Awaited<ReturnType<typeof lasting>>) => ({
    ...{ uid: service.metadata.uid, address: service.spec.clusterIP },
    ...others,
  })

  test('plan names every object, what becomes of it and what it may lose, and changes nothing', async () => {
    const was = await kubernetes.client.list(deployments)
    const { code, out } = await vedette('migrate', 'plan', ...cluster, '--json')
    const { steps, refused } = JSON.parse(out) as { steps: Plain[]; refused: Plain[] }
    // Whether the install takes Argo Events' names of rights is its own affair: they are brought back all the same.
    const named = steps.filter(({ object }) => !/^(Cluster)?Role/.test(object))
    const fates = Object.fromEntries(named.map(({ object, fate }) => [object, fate]))
    assert.deepEqual(fates, {
      'Deployment argo-events/controller-manager': 'replaced',
      'Deployment argo-events/events-webhook': 'stopped',
      'Service argo-events/events-webhook': 'replaced',
      'ConfigMap argo-events/argo-events-controller-config': 'changed',
      'ValidatingWebhookConfiguration webhook.argo-events.argoproj.io': 'replaced',
      'CustomResourceDefinition eventbus.argoproj.io': 'changed',
      'CustomResourceDefinition eventsources.argoproj.io': 'changed',
      'CustomResourceDefinition sensors.argoproj.io': 'changed',
      'EventBus clock/default': 'taken over',
      'EventBus lines/default': 'taken over',
      'EventBus shop/default': 'taken over',
      'StatefulSet shop/eventbus-default-js': 'changed',
      'Secret shop/eventbus-default-js-server': 'taken over',
      'Secret shop/eventbus-default-js-client-auth': 'taken over',
      'EventSource clock/calendar': 'taken over',
      [`Deployment clock/${(await made('clock'))[0]!.metadata.name}`]: 'changed',
      'EventSource lines/calendar': 'taken over',
      [`Deployment lines/${(await made('lines'))[0]!.metadata.name}`]: 'changed',
      'EventSource shop/review': 'left',
      'EventSource shop/webhook': 'taken over',
      [`Deployment shop/${(await made('shop'))[0]!.metadata.name}`]: 'changed',
      'Service shop/webhook-eventsource-svc': 'taken over',
    })
    const what = (object: string) => JSON.stringify(steps.find((step) => step.object === object))
    assert.match(
      what('ConfigMap argo-events/argo-events-controller-config'),
      /latest \(registry\.corp\/nats:2\.10\.29\)/,
    )
    assert.match(
      what('EventBus shop/default'),
      /3 servers of nats:2\.10\.29 with no disks, 1 copy.*lease alone.*no way back/,
    )
    assert.match(what('StatefulSet shop/eventbus-default-js'), /its Pods run on/)
    assert.match(what('Secret shop/eventbus-default-js-server'), /Argo Events' form/)
    assert.match(what('EventSource clock/calendar'), /calendar: ticks that were due meanwhile/)
    assert.match(what('EventSource shop/webhook'), /its Lease, the same as theirs; account sa1/)
    assert.match(what('Service shop/webhook-eventsource-svc'), new RegExp((await lasting()).service.spec.clusterIP))
    assert.deepEqual(
      refused.map(({ object, reason }) => [object, reason]),
      [['EventSource shop/review', 'types']],
    )
    assert.equal(code, 1)
    assert.deepEqual(
      (await kubernetes.client.list(deployments)).items.map(({ metadata }) => metadata.generation),
      was.items.map(({ metadata }) => metadata.generation),
    )
  })

  test('what is refused is not begun', async () => {
    const { code, err } = await vedette('migrate', 'apply', ...cluster)
    assert.equal(code, 1)
    assert.match(err, /refused: EventSource shop\/review: .*or --accept types/)
    assert.equal((await get(deployments, 'argo-events', 'controller-manager'))!.spec.replicas, 1)
    assert.equal(await get(configmaps, 'argo-events', 'vedette-migrate-backup'), null)
  })

  let lasts: Awaited<ReturnType<typeof lasting>>
  const exchangeThere = async () => {
    const before = await serverPods()
    assert.equal(before.length, 3)
    const { code, err } = await vedette('migrate', 'apply', ...cluster, ...accepted)
    assert.equal(code, 0, err)
    assert.deepEqual(await serverPods(), before, 'servers are replaced')
    for (const namespace of ['shop', 'clock', 'lines']) {
      const [deployment] = await made(namespace)
      const { image, args } = deployment!.spec.template.spec.containers[0]
      assert.deepEqual(
        [image, args[0], deployment!.status.updatedReplicas],
        [IMAGE, 'eventsource-service', deployment!.spec.replicas],
      )
    }
    assert.equal((await get(deployments, 'argo-events', 'events-webhook'))!.spec.replicas, 0)
    const manager = (await get(deployments, 'argo-events', 'controller-manager'))!
    assert.deepEqual(manager.spec.selector.matchLabels, { app: 'controller-manager' })
    const config = (await get(configmaps, 'argo-events', 'argo-events-controller-config'))!.data[
      'controller-config.yaml'
    ]
    assert.match(config, /natsImage: registry\.corp\/nats:2\.10\.29[\s\S]*version: 2\.15\.2/)
    assert.deepEqual((await get(services, 'argo-events', 'events-webhook'))!.spec.selector, {
      app: 'controller-manager',
    })
    assert.deepEqual(kept(await lasting()), kept(lasts))
  }

  test('apply: theirs stops, ours takes over each Deployment under its name; Service, address and Secrets stay', async () => {
    lasts = await lasting()
    // One that is killed when it has just begun is gone on with by the next.
    const first = spawn(process.execPath, [main, 'migrate', 'apply', ...cluster, ...accepted], {
      env: envOf(kubernetes),
      stdio: 'ignore',
    })
    const put = () => get(configmaps, 'argo-events', 'vedette-migrate-backup')
    await until('it has put something aside', async () => (await put()) !== null, 60_000)
    first.kill('SIGKILL')
    await exchangeThere()
    // Nothing is held that needs no work (a native bus has its events), though Argo Events had held it.
    await until('finalizers are let go of', async () => {
      const objects = [
        ...(await kubernetes.client.list(eventsources)).items,
        ...(await kubernetes.client.list(eventbus)).items.filter(
          ({ spec }) => !Object.hasOwn(spec as object, 'jetstream'),
        ),
      ]
      return objects.every(({ metadata }) => (metadata.finalizers ?? []).length === 0)
    })
  })

  test('apply again changes nothing', async () => {
    const generations = async () =>
      (await kubernetes.client.list(deployments)).items.map(
        ({ metadata: { name, generation } }) => `${name} ${generation}`,
      )
    const was = await generations()
    await exchangeThere()
    assert.deepEqual(await generations(), was)
  })

  const exchangeBack = async () => {
    const [before, pods] = [await servers(), await serverPods()]
    const { code, err } = await vedette('migrate', 'back', ...cluster)
    assert.equal(code, 0, err)
    assert.equal((await servers()).metadata.generation, before.metadata.generation, 'their controller changes servers')
    assert.deepEqual(await serverPods(), pods, 'servers are replaced')
    assert.match(err, /EventSource shop\/review: has no Deployment: .*gerrit/)
    for (const namespace of ['shop', 'clock', 'lines']) {
      const [deployment, ...others] = await made(namespace)
      assert.deepEqual(others, [])
      const [container] = deployment!.spec.template.spec.containers
      assert.deepEqual(
        [container.image, container.readinessProbe, container.startupProbe],
        ['img:1', undefined, undefined],
      )
    }
    for (const object of theirInstall({ namespace: 'argo-events' })) {
      const live = (await kubernetes.client.get(resourceFor(object), object.metadata)) as Plain
      const { spec, rules, data } = object as Plain
      if (object.kind === 'Deployment') assert.deepEqual(live.spec.selector, spec.selector)
      if (object.kind === 'Deployment') assert.equal(live.spec.replicas, 1)
      if (object.kind === 'Service') assert.deepEqual(live.spec.selector, spec.selector)
      if (rules !== undefined) assert.deepEqual(live.rules, rules)
      if (data !== undefined) assert.deepEqual(live.data, data)
    }
    const webhook = (await get(resources.validatingwebhookconfigurations, '', 'webhook.argo-events.argoproj.io'))!
    assert.deepEqual(webhook.webhooks[0].rules[0].operations, ['CREATE', 'UPDATE', 'DELETE'])
    const crd = (await get(resources.customresourcedefinitions, '', 'eventsources.argoproj.io'))!
    assert.deepEqual(crd.spec.versions[0].schema, (theirCrds[0]!.spec as Plain).versions[0].schema)
    for (const resource of [resources.poddisruptionbudgets, resources.roles])
      assert.deepEqual(
        (
          await kubernetes.client.list(resource, {
            namespace: 'shop',
            labelSelector: 'controller=eventsource-controller',
          })
        ).items,
        [],
      )
    assert.equal(await get(configmaps, 'argo-events', 'vedette-migrate-backup'), null)
    assert.deepEqual(kept(await lasting()), kept(lasts))
  }

  test('back: everything of Argo Events is as it was, and the Service keeps its address', exchangeBack)

  if (FULL) {
    test('and there and back twice more', async () => {
      for (let i = 0; i < 2; i++) {
        await exchangeThere()
        await exchangeBack()
      }
    })
  }
})

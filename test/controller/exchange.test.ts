/**
 * The exchange on a real API server with Kubernetes' own controllers: from the state that Argo Events leaves, there by `vedette migrate`, with our
 * controller at work, and back. Pods do not run here (test/faults has those); what is looked at is every object.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { runController } from '../../src/controller/controller.ts'
import { readSettings } from '../../src/controller/settings.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { type KubeObject, type Resource, resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, startKubernetes } from '../servers/kubernetes.ts'
import { freePorts } from '../servers/process.ts'
import { asTheirController, goldenIn, THEIR_IMAGE, theirCrds, theirInstall, theirSecrets } from './argo-events.ts'
import { reportReady } from './kubelet.ts'
import { type Plain, resourceFor } from './rig.ts'

const skip = without(
  'Kubernetes',
  kubernetesBinaries(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']),
)
const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts')
const FULL = process.env.VEDETTE_FULL === '1'
const IMAGE = 'localhost/vedette:test'
const { deployments, eventsources, eventbus, services, secrets, configmaps } = resources

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
    undo.push(reportReady(client), playControllers())
  })
  after(async () => {
    for (const step of undo.reverse()) await step()
    await kubernetes?.stop()
  })

  /** Whichever controller's Deployment has a Pod works: ours in this process, theirs as far as it touches objects. Never both. */
  function playControllers(): () => Promise<void> {
    const end = new AbortController()
    const ours: { stop: AbortController; over: Promise<void> }[] = []
    const stop = async () => {
      for (const { stop, over } of ours.splice(0)) {
        stop.abort()
        await over
      }
    }
    const look = async (): Promise<void> => {
      const { client } = kubernetes
      const { items } = await client.list(resources.pods, { namespace: 'argo-events' })
      const running = items.map(({ spec }) => (spec as Plain).containers[0] as Plain)
      const theirs = running.some(({ image, args }) => image === THEIR_IMAGE && args[0] === 'controller')
      const wanted = running.some(({ image }) => image === IMAGE)
      assert.ok(!(theirs && wanted), 'two controllers at a time')
      if (wanted && ours.length === 0) ours.push(await start())
      if (!wanted) await stop()
      if (theirs) for (const golden of all) await asTheirController(client, golden)
    }
    let failure: unknown
    const run = (async () => {
      while (!end.signal.aborted) {
        await look().catch((error) => {
          if (error instanceof assert.AssertionError) failure ??= error
        })
        await pause(200)
      }
      await stop()
    })()
    return async () => {
      end.abort()
      await run
      if (failure !== undefined) throw failure
    }
  }

  async function start() {
    const [healthPort, metricsPort] = (await freePorts(2)) as [number, number]
    // As its Pod has it mounted.
    const config = (await get(configmaps, 'argo-events', 'argo-events-controller-config'))!
    const file = path.join(kubernetes.dir, 'controller-config.yaml')
    writeFileSync(file, config.data['controller-config.yaml'])
    const settings = await readSettings({ VEDETTE_IMAGE: IMAGE }, file)
    const stop = new AbortController()
    const over = runController(
      {
        ...{ client: kubernetes.client, home: 'argo-events', identity: 'ours', election: false, host: '127.0.0.1' },
        ...{ healthPort, metricsPort, clock: systemClock, log: silentLogger },
        settings: () => settings,
        podMetrics: async () => null,
      },
      stop.signal,
    )
    over.catch(() => {})
    return { stop, over }
  }

  const env = () => ({ ...process.env, KUBECONFIG: kubernetes.kubeconfig, KUBERNETES_SERVICE_HOST: '' })
  const vedette = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      execFile(process.execPath, [main, ...args], { env: env(), maxBuffer: 1 << 24 }, (error, out, err) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, out, err }),
      )
    })
  const get = (resource: Resource, namespace: string, name: string) =>
    kubernetes.client.get(resource, { namespace, name }) as Promise<Plain | null>
  const accepted = ['--accept', 'bus-loses-events']
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
    assert.match(what('Secret shop/eventbus-default-js-server'), /Argo Events' form/)
    assert.match(what('EventSource clock/calendar'), /calendar: ticks that were due meanwhile/)
    assert.match(what('EventSource shop/webhook'), /its Lease, the same as theirs; account sa1/)
    assert.match(what('Service shop/webhook-eventsource-svc'), new RegExp((await lasting()).service.spec.clusterIP))
    assert.deepEqual(
      refused.map(({ object, reason }) => [object, reason]),
      [['StatefulSet shop/eventbus-default-js', 'bus-loses-events']],
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
    assert.match(err, /refused: StatefulSet shop\/eventbus-default-js: .*or --accept bus-loses-events/)
    assert.equal((await get(deployments, 'argo-events', 'controller-manager'))!.spec.replicas, 1)
    assert.equal(await get(configmaps, 'argo-events', 'vedette-migrate-backup'), null)
  })

  let lasts: Awaited<ReturnType<typeof lasting>>
  const exchangeThere = async () => {
    const { code, err } = await vedette('migrate', 'apply', ...cluster, ...accepted)
    assert.equal(code, 0, err)
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
      env: env(),
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
    const { code, err } = await vedette('migrate', 'back', ...cluster)
    assert.equal(code, 0, err)
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

/** The controller against a real API server, with the rights that are shipped and no others. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { after, before, suite, test } from 'node:test'
import type { LoadSource } from '../../src/controller/cluster.ts'
import { authConf } from '../../src/controller/eventBus/natsConf.ts'
import { rules as namespacedRules } from '../../src/controller/install/rbac.ts'
import { isVedetteError } from '../../src/core/errors.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { loadSource } from '../../src/sources/index.ts'
import { argoChain } from '../argo-certificates.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { bus, source, webhook } from './manifests.ts'
import { type Controller, type Plain, type Rig, startRig } from './rig.ts'

const { deployments, eventbus, eventsources, leases, poddisruptionbudgets, roles, secrets, services, statefulsets } =
  resources
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))

/** What Pods would answer. */
const podMetrics = async (ip: string) =>
  ({
    '10.1.1.1':
      'vedette_leading{namespace="asked",eventsource_name="orders"} 0\nvedette_failovers_total{reason="crash"} 1\n',
    '10.1.1.2':
      'vedette_leading{namespace="asked",eventsource_name="orders"} 1\nvedette_failovers_total{reason="crash"} 2\n',
  })[ip] ?? null

suite('the controller', { skip, timeout: 300_000 }, () => {
  let rig: Rig
  let controller: Controller
  before(async () => {
    rig = await startRig()
    controller = await rig.startController({ webhook: true, podMetrics })
  })
  after(() => rig.stop())

  const space = (name: string) => rig.kubernetes.namespace(name)
  const spec = async (resource: Parameters<Rig['get']>[0], namespace: string, name: string) =>
    (await rig.get(resource, namespace, name))?.spec as Plain | undefined
  const there = (what: string, condition: () => Promise<boolean>) => until(what, condition, 30_000)
  const exists = (resource: Parameters<Rig['get']>[0], namespace: string, name: string) =>
    there(`${name} is there`, async () => (await rig.get(resource, namespace, name)) !== null)
  const gone = (resource: Parameters<Rig['get']>[0], namespace: string, name: string) =>
    there(`${name} is gone`, async () => (await rig.get(resource, namespace, name)) === null)
  const says = async (
    resource: Parameters<Rig['get']>[0],
    ns: string,
    name: string,
    type: string,
    status: string,
    reason?: string,
  ) => {
    let last: Plain | undefined
    await there(`${name}: ${type}=${status} ${reason ?? ''}`, async () => {
      last = await rig.condition(resource, ns, name, type)
      return last?.status === status && (reason === undefined || last.reason === reason)
    }).catch((error) => assert.fail(`${error.message}; it is ${JSON.stringify(last)}`))
    return last!
  }

  test('an EventSource becomes Deployment, Service and budget, owned by it, and its status says so', async () => {
    const ns = await space('plain')
    await rig.apply(
      bus(ns) + source(ns, `replicas: 2, service: { ports: [ { port: 80, targetPort: 12000 } ] }, ${webhook}`),
    )
    await says(eventsources, ns, 'orders', 'Deployed', 'True')
    const object = (await rig.get(eventsources, ns, 'orders'))!
    for (const [resource, name] of [
      [deployments, 'orders-eventsource'],
      [services, 'orders-eventsource-svc'],
      [poddisruptionbudgets, 'orders-eventsource-pdb'],
    ] as const) {
      const made = (await rig.get(resource, ns, name))!
      assert.equal(made.metadata.ownerReferences[0].uid, object.metadata.uid)
    }
    await there(
      'strategy is shown',
      async () => (await rig.get(eventsources, ns, 'orders'))!.status.strategy === 'active-active',
    )
    const { status } = (await rig.get(eventsources, ns, 'orders'))!
    assert.equal(status.ready, '0/2')
    assert.equal(status.observedGeneration, 1)
    // Without controller-manager nothing counts Pods: say what it would.
    await ready(ns, 'orders-eventsource', 2)
    await says(eventsources, ns, 'orders', 'Available', 'True')
    await there('ready is shown', async () => (await rig.get(eventsources, ns, 'orders'))!.status.ready === '2/2')
  })

  const ready = async (ns: string, name: string, readyReplicas: number) => {
    const observedGeneration = (await rig.get(deployments, ns, name))!.metadata.generation
    const status = { observedGeneration, replicas: readyReplicas, updatedReplicas: readyReplicas, readyReplicas }
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: ns }, status }
    await rig.admin.applyStatus(deployments, deployment, { manager: 'pods' })
  }

  test('what others change or delete is repaired', async () => {
    const ns = await space('drift')
    await rig.apply(bus(ns) + source(ns, `replicas: 2, service: { ports: [ { port: 80 } ] }, ${webhook}`))
    await exists(poddisruptionbudgets, ns, 'orders-eventsource-pdb')
    const live = (await rig.get(deployments, ns, 'orders-eventsource'))!
    await rig.admin.update(deployments, { ...live, spec: { ...live.spec, replicas: 7 } } as never)
    await there('the scale is undone', async () => (await spec(deployments, ns, 'orders-eventsource'))?.replicas === 2)
    await rig.admin.delete(services, { namespace: ns, name: 'orders-eventsource-svc' })
    await exists(services, ns, 'orders-eventsource-svc')
    await rig.admin.delete(deployments, { namespace: ns, name: 'orders-eventsource' })
    await exists(deployments, ns, 'orders-eventsource')
  })

  test('a change of the object is carried out, down to what it no longer wants', async () => {
    const ns = await space('changes')
    await rig.apply(bus(ns) + source(ns, `replicas: 3, service: { ports: [ { port: 80 } ] }, ${webhook}`))
    await exists(poddisruptionbudgets, ns, 'orders-eventsource-pdb')
    const address = (await spec(services, ns, 'orders-eventsource-svc'))!.clusterIP
    assert.notEqual(address, 'None')
    await rig.apply(source(ns, `replicas: 3, service: { clusterIP: None, ports: [ { port: 80 } ] }, ${webhook}`))
    await there(
      'the Service is headless',
      async () => (await spec(services, ns, 'orders-eventsource-svc'))?.clusterIP === 'None',
    )
    const { uid } = (await rig.get(services, ns, 'orders-eventsource-svc'))!.metadata
    await rig.apply(source(ns, `replicas: 3, service: { clusterIP: None, ports: [ { port: 99999 } ] }, ${webhook}`))
    await says(eventsources, ns, 'orders', 'Deployed', 'False', 'CreateServiceFailed')
    assert.equal(
      (await rig.get(services, ns, 'orders-eventsource-svc'))!.metadata.uid,
      uid,
      'what works is not deleted',
    )
    await rig.apply(source(ns, `replicas: 0, ${webhook}`))
    await there('it stands still', async () => (await spec(deployments, ns, 'orders-eventsource'))?.replicas === 0)
    await gone(services, ns, 'orders-eventsource-svc')
    await gone(poddisruptionbudgets, ns, 'orders-eventsource-pdb')
  })

  test('a Service or budget of somebody else under our name is left alone', async () => {
    const ns = await space('foreign')
    const name = 'orders-eventsource-svc'
    await rig.admin.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: ns },
      spec: { ports: [{ port: 1 }] },
    } as never)
    await rig.apply(bus(ns) + source(ns, webhook))
    await says(eventsources, ns, 'orders', 'Deployed', 'True')
    const { resourceVersion } = (await rig.get(services, ns, name))!.metadata
    await rig.apply(source(ns, `service: { ports: [ { port: 80 } ] }, ${webhook}`))
    const refused = await says(eventsources, ns, 'orders', 'Deployed', 'False', 'CreateServiceFailed')
    assert.match(
      refused.message,
      /there is a Service "orders-eventsource-svc" that was not made for EventSource "orders"/,
    )
    assert.equal((await rig.get(services, ns, name))!.metadata.resourceVersion, resourceVersion)
  })

  test('election by Lease gets a Role for its one Lease, and shows who leads', async () => {
    const ns = await space('leased')
    await rig.apply(
      bus(ns) +
        source(
          ns,
          'calendar: { tick: { interval: 1m } }',
          ', annotations: { events.argoproj.io/leader-election: k8s }',
        ),
    )
    await exists(roles, ns, 'orders-eventsource-lease')
    await says(eventsources, ns, 'orders', 'Deployed', 'True')
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'eventsource-orders', namespace: ns },
    }
    await rig.admin.create(leases, { ...lease, spec: { holderIdentity: 'orders-1', leaseTransitions: 4 } } as never)
    await rig.apply(
      source(
        ns,
        'replicas: 2, calendar: { tick: { interval: 1m } }',
        ', annotations: { events.argoproj.io/leader-election: k8s }',
      ),
    )
    await there(
      'the leader is shown',
      async () => (await rig.get(eventsources, ns, 'orders'))!.status.leader === 'orders-1',
    )
    assert.equal((await rig.get(eventsources, ns, 'orders'))!.status.failovers, 4)
    // The annotation alone changes no generation, and is carried out all the same.
    await rig.apply(source(ns, 'replicas: 2, calendar: { tick: { interval: 1m } }'))
    await gone(roles, ns, 'orders-eventsource-lease')
  })

  test('a Lease that none of the Pods holds: a condition says who, and nobody is shown as leader; a Pod of Argo Events is one of them', async () => {
    const ns = await space('stranger')
    await rig.kubernetes.account(ns, 'default', [])
    const labels = { controller: 'eventsource-controller', 'eventsource-name': 'orders', 'owner-name': 'orders' }
    const pod = (name: string) => ({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: ns, labels } },
      spec: { containers: [{ name: 'main', image: 'x' }] },
    })
    for (const name of ['orders-a', 'orders-of-argo']) await rig.admin.create(resources.pods, pod(name) as never)
    const lease = (holderIdentity: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'eventsource-orders', namespace: ns },
      spec: { holderIdentity, leaseDurationSeconds: 2 ** 31 - 1, leaseTransitions: 4 },
    })
    await rig.admin.create(leases, lease('mallory') as never)
    await rig.apply(
      bus(ns) +
        source(
          ns,
          'calendar: { tick: { interval: 1m } }',
          ', annotations: { events.argoproj.io/leader-election: k8s }',
        ),
    )
    const { message } = await says(eventsources, ns, 'orders', 'LeaseHeld', 'True', 'HolderIsNoPod')
    assert.match(
      message,
      /holderIdentity "mallory" is none of the EventSource's Pods \(.*leaseDurationSeconds 2147483647\)/,
    )
    const status = async () => (await rig.get(eventsources, ns, 'orders'))!.status
    assert.equal((await status()).leader, undefined)
    await there('until when is said', async () =>
      /at \d{4}-.*Z, 600 s after/.test((await rig.condition(eventsources, ns, 'orders', 'LeaseHeld'))!.message),
    )
    const found = (await rig.get(leases, ns, 'eventsource-orders')) as never as KubeObject & { spec: object }
    await rig.admin.update(leases, { ...found, spec: { ...found.spec, holderIdentity: 'orders-of-argo' } })
    await there('it leads', async () => (await status()).leader === 'orders-of-argo')
    assert.equal(await rig.condition(eventsources, ns, 'orders', 'LeaseHeld'), undefined)
  })

  test('with election by the bus the Pods are asked who leads', async () => {
    const ns = await space('asked')
    await rig.kubernetes.account(ns, 'default', [])
    const labels = { controller: 'eventsource-controller', 'eventsource-name': 'orders', 'owner-name': 'orders' }
    for (const [name, podIP] of [
      ['orders-a', '10.1.1.1'],
      ['orders-b', '10.1.1.2'],
      ['orders-mute', '10.1.1.3'],
    ] as const) {
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: ns, labels } }
      await rig.admin.create(resources.pods, { ...pod, spec: { containers: [{ name: 'main', image: 'x' }] } } as never)
      await rig.admin.applyStatus(resources.pods, { ...pod, status: { podIP, podIPs: [{ ip: podIP }] } } as never, {
        manager: 'kubelet',
      })
    }
    await rig.apply(bus(ns) + source(ns, 'calendar: { tick: { interval: 1m } }'))
    await there(
      'the leader is shown',
      async () => (await rig.get(eventsources, ns, 'orders'))!.status?.leader === 'orders-b',
    )
    assert.equal((await rig.get(eventsources, ns, 'orders'))!.status.failovers, 3)
  })

  test('without its bus it waits, says for which, and goes on when the bus comes', async () => {
    const ns = await space('waiting')
    await rig.apply(source(ns, webhook))
    const missing = await says(eventsources, ns, 'orders', 'Deployed', 'False', 'EventBusNotFound')
    assert.match(missing.message, /"default" in namespace "waiting"/)
    await rig.apply(bus(ns, 'nats: { exotic: { url: nats://n:4222, clusterID: c } }'))
    await says(eventsources, ns, 'orders', 'Deployed', 'False', 'EventBusNotReady')
    await says(eventbus, ns, 'default', 'Deployed', 'False', 'NatsStreamingNotSupported')
    assert.equal(await rig.get(deployments, ns, 'orders-eventsource'), null)
    // Nothing would be left of it: it goes at once. One with servers of its own waits for who uses it.
    await rig.admin.delete(eventbus, { namespace: ns, name: 'default' })
    await gone(eventbus, ns, 'default')
    await says(eventsources, ns, 'orders', 'Deployed', 'False', 'EventBusNotFound')
    await rig.apply(bus(ns, 'jetstream: { version: latest }'))
    await exists(deployments, ns, 'orders-eventsource')
    await there('it is held', async () => (await rig.get(eventbus, ns, 'default'))!.metadata.finalizers?.length === 1)
    await rig.admin.delete(eventbus, { namespace: ns, name: 'default' })
    const inUse = await says(eventbus, ns, 'default', 'Deployed', 'False', 'InUse')
    assert.match(inUse.message, /1 EventSources connected: orders/)
    await rig.admin.delete(eventsources, { namespace: ns, name: 'orders' })
    await gone(eventsources, ns, 'orders')
    await gone(eventbus, ns, 'default')
  })

  test('what is wrong is said in full; what is deployed stays as it is', async () => {
    const ns = await space('wrong')
    await rig.apply(bus(ns) + source(ns, webhook))
    await exists(deployments, ns, 'orders-eventsource')
    const before = (await rig.get(deployments, ns, 'orders-eventsource'))!.metadata.generation
    await rig.apply(source(ns, 'webhook: { order: { port: abc, endpoint: /orders, method: POST } }'))
    const invalid = await says(eventsources, ns, 'orders', 'SourcesProvided', 'False', 'InvalidEventSource')
    assert.match(
      invalid.message,
      /^Invalid spec: orders - order\. spec\.webhook\.order\.port: failed to parse server port abc/,
    )
    // Server-side apply of a user takes back what it no longer names.
    await rig.apply(source(ns, 'mns: { order: { queue: q } }'))
    const lacking = await says(eventsources, ns, 'orders', 'SourcesProvided', 'False', 'TypeNotSupported')
    assert.match(lacking.message, /mns/)
    assert.equal((await rig.get(deployments, ns, 'orders-eventsource'))!.metadata.generation, before)
  })

  test('a missing Secret, and a missing key of one, are named', async () => {
    const ns = await space('lacking')
    const secured = (name: string) =>
      `webhook: { order: { port: "12000", endpoint: /orders, method: POST, authSecret: { name: ${name}, key: token } } }`
    await rig.apply(bus(ns) + source(ns, secured('nobody')))
    const missing = await says(eventsources, ns, 'orders', 'Available', 'False', 'SecretNotFound')
    assert.match(missing.message, /Secret "nobody" is missing/)
    await rig.admin.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'empty', namespace: ns },
    } as never)
    await rig.apply(source(ns, secured('empty')))
    await there('the key is named', async () =>
      /Secret "empty" has no key "token"/.test((await rig.condition(eventsources, ns, 'orders', 'Available'))?.message),
    )
  })

  test('a native bus: Secrets made once, mended when one is lost; objects; config for Sensors', async () => {
    const ns = await space('native')
    await rig.apply(`${bus(ns, 'jetstream: { version: latest }')}${source(ns, webhook)}
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: { name: s, namespace: ${ns} }
spec: { dependencies: [], triggers: [] }
`)
    await exists(statefulsets, ns, 'eventbus-default-js')
    await exists(poddisruptionbudgets, ns, 'eventbus-default-js-pdb')
    const auth = (await rig.get(secrets, ns, 'eventbus-default-js-client-auth'))!.data
    await says(eventbus, ns, 'default', 'Deployed', 'True', 'Succeeded')
    await there('it is shown', async () => (await rig.get(eventbus, ns, 'default'))!.status.ready === '0/3')
    const { status } = (await rig.get(eventbus, ns, 'default'))!
    assert.equal(status.kind, 'jetstream')
    assert.equal(status.config.jetstream.url, `nats://eventbus-default-js-svc.${ns}.svc:4222`)
    await says(eventsources, ns, 'orders', 'Deployed', 'True')
    await exists(deployments, ns, 's-sensor')
    // Another look changes nothing.
    await rig.apply(bus(ns, 'jetstream: { version: latest, priority: 5 }'))
    const carriedOut = (priority: number) =>
      there(
        `priority ${priority} is carried out`,
        async () => (await spec(statefulsets, ns, 'eventbus-default-js'))?.template.spec.priority === priority,
      )
    await carriedOut(5)
    assert.deepEqual((await rig.get(secrets, ns, 'eventbus-default-js-client-auth'))!.data, auth)
    await rig.admin.delete(secrets, { namespace: ns, name: 'eventbus-default-js-client-auth' })
    await rig.apply(bus(ns, 'jetstream: { version: latest, priority: 6 }'))
    await exists(secrets, ns, 'eventbus-default-js-client-auth')
    assert.deepEqual((await rig.get(secrets, ns, 'eventbus-default-js-client-auth'))!.data, auth)
    await carriedOut(6)
    // The key of what is on the disks is nobody's to replace.
    const server = (await rig.get(secrets, ns, 'eventbus-default-js-server'))!
    await rig.admin.delete(secrets, { namespace: ns, name: 'eventbus-default-js-server' })
    await rig.apply(bus(ns, 'jetstream: { version: latest, priority: 7 }'))
    const lost = await says(eventbus, ns, 'default', 'Deployed', 'False', 'JetStreamAuthSecretsFailed')
    assert.match(lost.message, /Secret eventbus-default-js-server has no key "encryption".*no other one is made/)
    const mended = (await rig.get(secrets, ns, 'eventbus-default-js-server'))!.data
    assert.equal(mended.encryption, undefined)
    assert.ok(
      Buffer.from(mended.auth, 'base64').includes(
        /^password: (.*)$/m.exec(Buffer.from(auth['client-auth'], 'base64').toString())![1]!,
      ),
    )
    assert.equal(
      (await spec(statefulsets, ns, 'eventbus-default-js'))!.template.spec.priority,
      6,
      'no server is replaced',
    )
    const encryption = { encryption: server.data.encryption }
    await rig.admin.apply(
      secrets,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'eventbus-default-js-server', namespace: ns },
        data: encryption,
      } as never,
      { manager: 'user' },
    )
    await says(eventbus, ns, 'default', 'Deployed', 'True')
    const remade = await says(eventbus, ns, 'default', 'SecretsRemade', 'True')
    assert.match(remade.message, /cluster-cert, cluster-private-key and cluster-ca-cert/)
    // Also without servers, while there are disks.
    const labels = { controller: 'eventbus-controller', 'eventbus-name': 'default', 'owner-name': 'default' }
    const claims = resources.persistentvolumeclaims
    await rig.admin.create(claims, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'disk', namespace: ns, labels },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    } as never)
    await rig.admin.delete(secrets, { namespace: ns, name: 'eventbus-default-js-server' })
    await rig.admin.delete(statefulsets, { namespace: ns, name: 'eventbus-default-js' })
    await says(eventbus, ns, 'default', 'Deployed', 'False', 'JetStreamAuthSecretsFailed')
    assert.equal(await rig.get(statefulsets, ns, 'eventbus-default-js'), null)
    await rig.admin.delete(claims, { namespace: ns, name: 'disk' })
    await rig.apply(bus(ns, 'jetstream: { version: latest, priority: 8 }'))
    await says(eventbus, ns, 'default', 'Deployed', 'True')
    await exists(statefulsets, ns, 'eventbus-default-js')
  })

  test("upstream's Deployment is taken over under its own name, and its hold on the fields ends", async () => {
    const ns = await space('adopted')
    await rig.apply(source(ns, `template: { nodeSelector: { disk: ssd } }, ${webhook}`))
    await says(eventsources, ns, 'orders', 'Deployed', 'False', 'EventBusNotFound')
    const { uid } = (await rig.get(eventsources, ns, 'orders'))!.metadata
    const labels = { controller: 'eventsource-controller', 'eventsource-name': 'orders', 'owner-name': 'orders' }
    const owner = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'EventSource',
      name: 'orders',
      uid,
      controller: true,
      blockOwnerDeletion: true,
    }
    const made = (await rig.admin.create(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'orders-eventsource-x7k2p', namespace: ns, labels, ownerReferences: [owner] },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            nodeSelector: { disk: 'ssd' },
            containers: [{ name: 'main', image: 'upstream:1', args: ['eventsource-service'] }],
          },
        },
      },
    } as never)) as Plain
    const managedFields = made.metadata.managedFields.map((entry: Plain) => ({ ...entry, manager: 'argo-events' }))
    await rig.admin.update(deployments, { ...made, metadata: { ...made.metadata, managedFields } } as never)
    await rig.apply(bus(ns))
    const main = async () => (await spec(deployments, ns, 'orders-eventsource-x7k2p'))!.template.spec
    await there('it is ours', async () => (await main()).containers[0].image === 'img:1')
    assert.equal(await rig.get(deployments, ns, 'orders-eventsource'), null)
    await rig.apply(source(ns, webhook))
    await there('a field that upstream had set goes too', async () => (await main()).nodeSelector === undefined)
  })

  test("upstream's servers without disks are taken over without disks, with a warning; its passwords stay", async () => {
    await controller.stop()
    const ns = await space('diskless')
    await rig.apply(bus(ns, 'jetstream: { version: latest }'))
    const { uid } = (await rig.get(eventbus, ns, 'default'))!.metadata
    const labels = { controller: 'eventbus-controller', 'eventbus-name': 'default', 'owner-name': 'default' }
    const owner = { apiVersion: 'argoproj.io/v1alpha1', kind: 'EventBus', name: 'default', uid, controller: true }
    const name = 'eventbus-default-js'
    const head = (name: string) => ({ name, namespace: ns, labels, ownerReferences: [owner] })
    const pod = { containers: [{ name: 'main', image: 'nats:2.10.29' }], volumes: [{ name: 'js-data', emptyDir: {} }] }
    const serviceName = `${name}-svc`
    const selector = { matchLabels: labels }
    await rig.admin.create(statefulsets, {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: head(name),
      spec: {
        replicas: 3,
        podManagementPolicy: 'Parallel',
        serviceName,
        selector,
        template: { metadata: { labels }, spec: pod },
      },
    } as never)
    const chain = argoChain({ lifeMs: 20 * 86_400_000 })
    const pairs = (prefix: string) => ({
      [`${prefix}private-key`]: chain.key,
      [`${prefix}cert`]: chain.cert,
      [`${prefix}ca-cert`]: chain.ca,
    })
    const stringData = {
      [`${name}-server`]: {
        auth: authConf('theUser1', 'thePassword123456', 'systemPassword'),
        encryption: '7yT3kq0PzW1m',
        ...pairs(''),
        ...pairs('cluster-'),
      },
      [`${name}-client-auth`]: { 'client-auth': 'username: theUser1\npassword: thePassword123456' },
    }
    for (const [secret, stringDatum] of Object.entries(stringData)) {
      const metadata = head(secret)
      await rig.admin.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, stringData: stringDatum } as never)
    }
    const dataOf = async (secret: string) => (await rig.get(secrets, ns, secret))!.data
    const [theirServer, theirClient] = [await dataOf(`${name}-server`), await dataOf(`${name}-client-auth`)]
    controller = await rig.startController({ webhook: true, podMetrics })
    const risk = await says(eventbus, ns, 'default', 'AtRisk', 'True')
    assert.match(risk.message, /no persistence/)
    await says(eventbus, ns, 'default', 'Deployed', 'True')
    const taken = (await spec(statefulsets, ns, name))!
    assert.equal(taken.volumeClaimTemplates, undefined)
    const image = async () => (await spec(statefulsets, ns, name))?.template.spec.containers[0].image
    assert.equal(await image(), 'nats:2.10.29')
    const offered = await says(eventbus, ns, 'default', 'UpgradeAvailable', 'True')
    assert.match(offered.message, /^nats:2\.10\.29 runs and stays; latest is nats:2\.15\.2\. .*"2\.15\.2".*no way back/)
    assert.match((await says(eventbus, ns, 'default', 'FencingLeaseOnly', 'True')).message, /no atomic batches/)
    // Also when somebody deletes it: its disks, if it had any, are still those of that version.
    await rig.admin.delete(statefulsets, { namespace: ns, name })
    await there('it is made again, as it was', async () => (await image()) === 'nats:2.10.29')
    await rig.apply(bus(ns, 'jetstream: { version: "2.15.2" }'))
    await there('it is raised, since its owner says so', async () => (await image()) === 'nats:2.15.2')
    await rig.apply(bus(ns, 'jetstream: { version: latest }'))
    await there(
      'the offer is gone',
      async () => (await rig.condition(eventbus, ns, 'default', 'UpgradeAvailable')) === undefined,
    )
    await rig.apply(bus(ns, 'jetstream: { version: "2.10.29" }'))
    const refused = await says(eventbus, ns, 'default', 'DowngradeRefused', 'True')
    assert.match(refused.message, /^nats:2\.15\.2 runs and stays: 2\.10\.29 cannot read/)
    assert.equal(await image(), 'nats:2.15.2')
    await says(eventbus, ns, 'default', 'Deployed', 'True')
    assert.deepEqual(await dataOf(`${name}-server`), theirServer)
    assert.match(
      (await says(eventbus, ns, 'default', 'CertificateEnds', 'True')).message,
      /cert ends on .*Take the key/,
    )
    await says(eventbus, ns, 'default', 'EncryptedByConstant', 'True')
    const conf = async () => (await rig.get(resources.configmaps, ns, `${name}-config`))!.data['nats-js'] as string
    assert.match(await conf(), /^ {2}key: "\$JS_KEY"$/m)
    // The clients' Secret is lost: made again of the servers', which stays.
    await rig.admin.delete(secrets, { namespace: ns, name: `${name}-client-auth` })
    await rig.apply(bus(ns, 'jetstream: { version: latest, priority: 5 }'))
    await exists(secrets, ns, `${name}-client-auth`)
    assert.deepEqual(await dataOf(`${name}-client-auth`), theirClient)
    assert.deepEqual(await dataOf(`${name}-server`), theirServer)
    // A chain is renewed by taking it away.
    await rig.admin.apply(
      secrets,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: `${name}-server`, namespace: ns },
        data: { cert: '' },
      } as never,
      { manager: 'user' },
    )
    await rig.apply(bus(ns, 'jetstream: { version: latest, priority: 6 }'))
    await there(
      'a new chain',
      async () => ![undefined, '', theirServer.cert].includes((await dataOf(`${name}-server`)).cert),
    )
    const renewed = await dataOf(`${name}-server`)
    for (const key of ['auth', 'encryption', 'cluster-cert', 'cluster-private-key', 'cluster-ca-cert'])
      assert.equal(renewed[key], theirServer[key], key)
    // A change that cannot be carried out says so, and who uses the bus goes on with what they were told.
    await rig.apply(bus(ns, 'jetstream: { version: none }'))
    const invalid = await says(eventbus, ns, 'default', 'Configured', 'False', 'InvalidSpec')
    assert.match(invalid.message, /^unsupported version "none", supported versions:/)
    assert.match((await rig.get(eventbus, ns, 'default'))!.status.config.jetstream.url, /^nats:/)
  })

  test('a bus that nobody uses goes, with the disks of its servers', async () => {
    const ns = await space('emptied')
    await rig.apply(bus(ns, 'jetstream: { version: latest }'))
    await says(eventbus, ns, 'default', 'Deployed', 'True')
    const { persistentvolumeclaims } = resources
    const claim = (name: string, eventBus: string) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name,
        namespace: ns,
        labels: { controller: 'eventbus-controller', 'eventbus-name': eventBus, 'owner-name': eventBus },
      },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    await rig.admin.create(persistentvolumeclaims, claim('ours', 'default'))
    await rig.admin.create(persistentvolumeclaims, claim('others', 'second'))
    await rig.admin.delete(eventbus, { namespace: ns, name: 'default' })
    await gone(eventbus, ns, 'default')
    // Without controller-manager nobody takes the claim's own finalizer away.
    assert.notEqual((await rig.get(persistentvolumeclaims, ns, 'ours'))?.metadata.deletionTimestamp, undefined)
    assert.equal((await rig.get(persistentvolumeclaims, ns, 'others'))!.metadata.deletionTimestamp, undefined)
  })

  test('what needs no work is held by nobody, also what Argo Events has held: it goes without a controller', async () => {
    const ns = await space('unheld')
    const held = (kind: string, name: string, finalizer: string, spec: string) =>
      `apiVersion: argoproj.io/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${ns}, finalizers: [${finalizer}] }\nspec: { ${spec} }\n---\n`
    const all = [
      [eventbus, 'default', held('EventBus', 'default', 'eventbus-controller', 'jetstreamExotic: { url: nats://n:1 }')],
      [eventbus, 'kafka', held('EventBus', 'kafka', 'eventbus-controller', 'kafka: { url: k:9092 }')],
      [eventsources, 'orders', held('EventSource', 'orders', 'eventsource-controller', webhook)],
      [resources.sensors, 'follow', held('Sensor', 'follow', 'sensor-controller', 'triggers: []')],
    ] as const
    for (const [, , yaml] of all) await rig.apply(yaml)
    for (const [resource, name] of all)
      await there(`${name} is let go of`, async () => {
        const { finalizers = [] } = (await rig.get(resource, ns, name))!.metadata
        return finalizers.length === 0
      })
  })

  test('on a Kafka bus EventSources and Sensors are deployed, and the topic has its default name', async () => {
    const ns = await space('kafka')
    await rig.apply(`${bus(ns, 'kafka: { url: kafka:9092 }')}${source(ns, webhook)}
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: { name: s, namespace: ${ns} }
spec: { dependencies: [], triggers: [] }
`)
    await exists(deployments, ns, 's-sensor')
    await exists(deployments, ns, 'orders-eventsource')
    assert.equal((await rig.get(eventbus, ns, 'default'))!.status.config.kafka.topic, 'kafka-default')
  })

  test('a right that is missing is named, with the Role to write', async () => {
    const ns = await space('limited')
    // The one for all namespaces would do it.
    await controller.stop()
    await rig.apply(bus(ns) + source(ns, webhook))
    const rules = namespacedRules.map((rule) =>
      rule.resources.includes('deployments') ? { ...rule, verbs: ['get', 'list', 'watch'] } : rule,
    )
    const limited = await rig.startController({ namespaced: ns, rules })
    const denied = await says(eventsources, ns, 'orders', 'Deployed', 'False', 'CreateDeploymentFailed')
    assert.match(denied.message, /Failed to create a deployment: .*deployments\.apps/)
    assert.match(denied.message, /patch/)
    await limited.stop()
    controller = await rig.startController({ webhook: true })
    await says(eventsources, ns, 'orders', 'Deployed', 'True')
  })

  test('its Lease, health and metrics are where upstream has them', async () => {
    assert.match((await rig.get(leases, 'argo-events', 'argo-events-controller'))!.spec.holderIdentity, /^one/)
    const at = async (port: number, path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    assert.equal(await at(controller.healthPort, '/healthz'), 'ok\n')
    assert.equal(await at(controller.healthPort, '/readyz'), 'ok\n')
    const metrics = await at(controller.metricsPort, '/metrics')
    assert.match(
      metrics,
      /^controller_runtime_reconcile_total\{controller="eventsource-controller",result="success"\} [1-9]/m,
    )
    assert.match(metrics, /^leader_election_master_status\{name="argo-events-controller"\} 1$/m)
    assert.match(metrics, /^workqueue_depth\{/m)
  })

  test('the admission webhook is told to the API server, and judges as validate does', async () => {
    const { validatingwebhookconfigurations } = resources
    const name = 'webhook.argo-events.argoproj.io'
    const bundle = async () =>
      (await rig.get(validatingwebhookconfigurations, '', name))?.webhooks[0].clientConfig.caBundle as
        | string
        | undefined
    await there('it has its authority', async () => (await bundle()) !== undefined)
    const ca = Buffer.from((await bundle())!, 'base64').toString()
    const ask = (object: object, oldObject?: object): Promise<Plain> =>
      new Promise((resolve, reject) => {
        const servername = 'events-webhook.argo-events.svc'
        const call = request(
          { host: '127.0.0.1', port: controller.webhookPort, path: '/validate', method: 'POST', ca, servername },
          async (response) => {
            let text = ''
            for await (const chunk of response) text += chunk
            resolve(JSON.parse(text).response)
          },
        )
        call.on('error', reject)
        const operation = oldObject === undefined ? 'CREATE' : 'UPDATE'
        call.end(
          JSON.stringify({
            apiVersion: 'admission.k8s.io/v1',
            kind: 'AdmissionReview',
            request: { uid: 'u', operation, object, oldObject },
          }),
        )
      })
    const object = (kind: string, spec: object) => ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind,
      metadata: { name: 'a', namespace: 'b' },
      spec,
    })
    assert.deepEqual(await ask(object('EventSource', { calendar: { a: { interval: '1m' } } })), {
      uid: 'u',
      allowed: true,
    })
    const denied = await ask(object('EventSource', { calendar: { a: {} } }))
    assert.equal(denied.allowed, false)
    assert.match(
      denied.status.message,
      /^invalid EventSource: spec\.calendar\.a: must have either schedule or interval/,
    )
    const jetstream = (streamConfig?: string) => object('EventBus', { jetstream: { version: 'latest', streamConfig } })
    const changed = await ask(jetstream('maxAge: 1h'), jetstream('maxAge: 2h'))
    assert.match(
      changed.status.message,
      /"spec\.jetstream\.streamConfig" is immutable, can not be updated, old value='maxAge: 2h', new value='maxAge: 1h'/,
    )
    assert.match(
      (await ask(object('EventBus', { jetstreamExotic: { url: 'x' } }), jetstream())).status.message,
      /Can not change event bus implementation/,
    )
  })

  test('what an EventSource has at providers is removed by one Job before it goes, and it goes also when that fails', async () => {
    await controller.stop()
    const load: LoadSource = async (type) => {
      const definition = await loadSource(type)
      return definition?.listens === undefined ? definition : { ...definition, hooks: async () => null }
    }
    controller = await rig.startController({ load, webhook: true })
    for (const outcome of ['Complete', 'Failed']) {
      const ns = await space(`removal-${outcome.toLowerCase()}`)
      await rig.apply(bus(ns) + source(ns, `template: { serviceAccountName: hooks }, ${webhook}`))
      await there(
        'it is held',
        async () => (await rig.get(eventsources, ns, 'orders'))!.metadata.finalizers?.[0] === 'eventsource-controller',
      )
      await exists(deployments, ns, 'orders-eventsource')
      await rig.admin.delete(eventsources, { namespace: ns, name: 'orders' })
      const name = 'orders-eventsource-removal'
      await exists(resources.jobs, ns, name)
      assert.equal((await spec(deployments, ns, 'orders-eventsource'))!.replicas, 0)
      const job = (await rig.get(resources.jobs, ns, name))!
      const pod = job.spec.template.spec
      assert.deepEqual(pod.containers[0].args, ['eventsource-removal'])
      assert.equal(pod.containers[0].livenessProbe, undefined)
      assert.equal(pod.serviceAccountName, 'hooks')
      assert.notEqual(await rig.get(eventsources, ns, 'orders'), null)
      // What the Job controller would say.
      const now = new Date().toISOString().replace(/\..*/, 'Z')
      const [criterion, done] =
        outcome === 'Complete' ? ['SuccessCriteriaMet', 'Complete'] : ['FailureTarget', 'Failed']
      const conditions = [criterion, done].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: now,
        lastProbeTime: now,
        reason: 'x',
        message: 'x',
      }))
      const status = { startTime: now, conditions, ...(outcome === 'Complete' ? { completionTime: now } : {}) }
      const { apiVersion, kind, metadata } = job as KubeObject
      await rig.admin.applyStatus(
        resources.jobs,
        { apiVersion, kind, metadata: { name: metadata.name, namespace: ns }, status },
        { manager: 'jobs' },
      )
      await gone(eventsources, ns, 'orders')
    }
  })

  test('another one stands by, ready, and takes over at once when the first is told to stop', async () => {
    const ns = await space('handover')
    await rig.apply(bus(ns))
    const second = await rig.startController({ identity: 'two' })
    await there(
      'the standby is ready',
      async () => (await fetch(`http://127.0.0.1:${second.healthPort}/readyz`)).status === 200,
    )
    await controller.stop()
    await there('the Lease is the second one’s', async () =>
      /^two/.test((await rig.get(leases, 'argo-events', 'argo-events-controller'))!.spec.holderIdentity),
    )
    await rig.apply(source(ns, webhook))
    await exists(deployments, ns, 'orders-eventsource')
    await rig.kubernetes.restartApiServer()
    await rig.apply(source(ns, `replicas: 4, ${webhook}`))
    await there(
      'it works on after a restart of the API server',
      async () => (await spec(deployments, ns, 'orders-eventsource'))?.replicas === 4,
    )
    await second.stop()
  })

  test('a port that is taken ends it with an error, and nothing is left running', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const third = await rig.startController({ identity: 'three', webhook: true, ports: { webhookPort: port } })
    await assert.rejects(third.stop(), (error) => isVedetteError(error, 'PORT_IN_USE'))
    taken.close()
  })

  test('installed for one namespace it looks after that one, with rights in no other', async () => {
    const [own, other] = [await space('team-a'), await space('team-b')]
    await rig.startController({ namespaced: own })
    await rig.apply(bus(other) + source(other, webhook) + bus(own) + source(own, webhook))
    await exists(deployments, own, 'orders-eventsource')
    await says(eventsources, own, 'orders', 'Deployed', 'True')
    assert.equal(await rig.get(deployments, other, 'orders-eventsource'), null)
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { EventBus, EventSource } from '../manifest/manifest.ts'
import { canFence, findVersion, shippedVersions } from './eventBus/versions.ts'
import { isReady, planBus } from './eventBus.ts'
import { eventSourceObjects } from './eventSource.ts'
import { referencesIn } from './references.ts'
import { sensorObjects } from './sensor.ts'
import { settingsFrom } from './settings.ts'
import { volumesOf } from './volumes.ts'

type Plain = Record<string, any>
const settings = settingsFrom({ VEDETTE_IMAGE: 'img:1' })
const place = { file: '', line: 1, column: 1 }
const exotic = { jetstream: { url: 'nats://x:4222' } }

function source(spec: Plain, more: Partial<EventSource> = {}): EventSource {
  const head = { namespace: 'ns', name: 'es', labels: {}, annotations: {}, replicas: 1, eventBusName: 'default' }
  return { ...head, entries: [], spec, place, ...more }
}
function bus(kind: EventBus['kind'], spec: Plain): EventBus {
  return { namespace: 'ns', name: 'default', labels: {}, kind, spec: { [kind]: spec }, place } as EventBus
}
const built = (spec: Plain, more: Partial<EventSource> = {}, config: Plain = exotic) =>
  eventSourceObjects({ source: source(spec, more), bus: config, settings }) as Plain[]
const podOf = (objects: Plain[]) => objects.find(({ kind }) => kind === 'Deployment')!.spec.template.spec as Plain

suite('references', () => {
  test('Secrets by shape, ConfigMaps by name, nothing in native structures or buckets', () => {
    const { secrets, configMaps } = referencesIn({
      sqs: { e: { accessKey: { name: 'aws', key: 'id' }, secretKey: { name: 'aws', key: 'secret', optional: true } } },
      hdfs: { e: { krbConfigConfigMap: { name: 'krb', key: 'krb5.conf' } } },
      minio: { e: { bucket: { name: 'b', key: 'k' }, accessKey: { name: 'opt', key: 'k', optional: true } } },
      template: {
        container: {
          env: [
            { name: 'A', value: 'b' },
            { name: 'B', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } },
            { name: 'C', valueFrom: { configMapKeyRef: { name: 'cm', key: 'k' } } },
            { name: 'D', valueFrom: { fieldRef: { fieldPath: 'x' } } },
          ],
        },
      },
    })
    assert.deepEqual([...secrets.keys()], ['aws', 'opt', 'env'])
    assert.deepEqual(secrets.get('aws'), { keys: ['id', 'secret'], optional: false })
    assert.equal(secrets.get('opt')!.optional, true)
    assert.deepEqual([...configMaps.keys()], ['krb', 'cm'])
  })

  test('an entry may be called like anything', () => {
    const entry = (name: string) => ({ authSecret: { name, key: 'k' } })
    const { secrets } = referencesIn({
      webhook: { filter: entry('a'), labels: entry('b'), resource: entry('c'), bucket: entry('d') },
    })
    assert.deepEqual([...secrets.keys()], ['a', 'b', 'c', 'd'])
    const native = referencesIn({
      template: { nodeSelector: { name: 'x', key: 'y' } },
      minio: { e: { filter: { name: 'x', key: 'y' } } },
    })
    assert.equal(native.secrets.size, 0)
  })

  test('a Secret of both the bus and the EventSource is mounted once, with all its keys', () => {
    const selector = { name: 'tls', key: 'ca' }
    const { volumes, mounts } = volumesOf({ jetstream: { url: '', tls: { caCertSecret: selector } } }, [
      { a: selector },
    ])
    assert.deepEqual(volumes, [
      { name: 'secret-tls', secret: { secretName: 'tls' } },
      { name: 'tmp', emptyDir: {} },
    ])
    assert.equal(new Set(mounts.map(({ mountPath }) => mountPath)).size, mounts.length)
  })

  test('every volume has a valid name of its own', () => {
    const names = ['a.b', 'a-b', 'a_b', `${'x'.repeat(80)}1`, `${'x'.repeat(80)}2`, 'Tail.']
    const { volumes } = volumesOf(exotic, [names.map((name) => ({ s: { name, key: 'k' } }))])
    assert.equal(new Set(volumes.map(({ name }) => name)).size, names.length + 1)
    for (const { name } of volumes) assert.match(name, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
  })
})

suite('EventSource', () => {
  const webhook = { webhook: { e: { port: '12000', endpoint: '/e', method: 'POST' } } }

  test('more than one replica has a budget; all have the spread', () => {
    const one = built(webhook)
    assert.deepEqual(
      one.map(({ kind }) => kind),
      ['Deployment'],
    )
    const many = built(webhook, { replicas: 2 })
    assert.deepEqual(
      many.map(({ kind }) => kind),
      ['Deployment', 'PodDisruptionBudget'],
    )
    assert.equal(many[1]!.spec.maxUnavailable, 1)
    assert.equal(podOf(one).topologySpreadConstraints.length, 2)
    assert.ok(podOf(one).affinity.podAntiAffinity)
    const own = { nodeAffinity: {} }
    assert.deepEqual(podOf(built({ ...webhook, template: { affinity: own } }, { replicas: 2 })).affinity, own)
  })

  test('a spread of the user’s own takes the place of ours; without a selector it means these Pods', () => {
    const own = (list: unknown) =>
      podOf(built({ ...webhook, template: { topologySpreadConstraints: list } })).topologySpreadConstraints
    const zone = { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' }
    const labels = { controller: 'eventsource-controller', 'eventsource-name': 'es', 'owner-name': 'es' }
    assert.deepEqual(own([zone]), [
      { ...zone, labelSelector: { matchLabels: labels }, matchLabelKeys: ['pod-template-hash'] },
    ])
    const selected = { ...zone, labelSelector: { matchLabels: { team: 'a' } } }
    assert.deepEqual(own([selected]), [selected])
    assert.equal(own([]), undefined)
  })

  test('annotations of the object are those of its Deployment, but for what says who made the object', () => {
    const mine = { 'reloader.stakater.com/auto': 'true', team: 'orders' }
    const annotations = {
      ...mine,
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'argocd.argoproj.io/tracking-id': 'app:argoproj.io/EventSource:ns/es',
      'meta.helm.sh/release-name': 'r',
      'deployment.kubernetes.io/revision': '7',
      'events.argoproj.io/leader-election': 'k8s',
      'resource-spec-hash': 'x',
    }
    const [made] = built(webhook, { annotations }).filter(({ kind }) => kind === 'Deployment')
    const { 'resource-spec-hash': hash, ...inherited } = made!.metadata.annotations
    assert.deepEqual(inherited, mine)
    assert.notEqual(hash, 'x')
    assert.equal(made!.spec.template.metadata.annotations, undefined)
  })

  test('revisionHistoryLimit is that of the Deployment, and replaces no Pod', () => {
    const [limited] = built({ ...webhook, revisionHistoryLimit: 0 })
    assert.equal(limited!.spec.revisionHistoryLimit, 0)
    const [unlimited] = built(webhook)
    assert.equal('revisionHistoryLimit' in unlimited!.spec, false)
    assert.deepEqual(limited!.spec.template, unlimited!.spec.template)
  })

  test('replicas: 0 is honoured', () => {
    assert.equal(built(webhook, { replicas: 0 })[0]!.spec.replicas, 0)
  })

  test('only the allowed fields of a container get through', () => {
    const container = {
      ...{ image: 'evil', command: ['sh'], args: ['-c'], lifecycle: {}, ports: [], livenessProbe: {}, name: 'x' },
      ...{ resources: { limits: { cpu: '1' } }, envFrom: [{ secretRef: { name: 's' } }], stdin: true },
    }
    const template = {
      container,
      containers: [{ name: 'second' }],
      initContainers: [{}],
      hostNetwork: true,
      hostPID: true,
    }
    const pod = podOf(built({ ...webhook, template }))
    const [main, ...others] = pod.containers
    assert.deepEqual(others, [])
    assert.equal(main.image, 'img:1')
    assert.equal(main.name, 'main')
    assert.deepEqual(main.args, ['eventsource-service'])
    assert.equal(main.ports.length, 1)
    for (const field of ['command', 'lifecycle', 'stdin']) assert.equal(main[field], undefined)
    for (const field of ['initContainers', 'hostNetwork', 'hostPID']) assert.equal(pod[field], undefined)
    assert.deepEqual(main.resources, container.resources)
    assert.deepEqual(main.envFrom, [{ prefix: 'VEDETTE_ENV_', secretRef: { name: 's' } }])
  })

  test('no entry of the template wins over our environment', () => {
    const env = [{ name: 'EVENTBUS_CONFIG', value: 'mine' }]
    const [main] = podOf(built({ ...webhook, template: { container: { env } } })).containers
    assert.notEqual(main.env.findLast(({ name }: Plain) => name === 'EVENTBUS_CONFIG').value, 'mine')
  })

  test('fits the restricted Pod Security level where the object is silent', () => {
    const pod = podOf(built(webhook))
    assert.deepEqual(pod.securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    assert.deepEqual(pod.containers[0].securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const root = podOf(
      built({ ...webhook, template: { container: { securityContext: { runAsUser: 0, privileged: true } } } }),
    )
    assert.equal(root.securityContext.runAsNonRoot, undefined)
    assert.equal(root.containers[0].securityContext.allowPrivilegeEscalation, undefined)
    assert.equal(root.containers[0].securityContext.privileged, true)
  })

  test('a port below 1024 can be listened on', () => {
    const low = { webhook: { e: { port: '80', endpoint: '/e', method: 'POST' } } }
    assert.equal(podOf(built(low)).securityContext.sysctls[0].name, 'net.ipv4.ip_unprivileged_port_start')
  })

  test('a Lease gives a Role for that one name and a token; without one there is no token', () => {
    const annotations = { 'events.argoproj.io/leader-election': 'K8s' }
    const leased = built(webhook, { annotations })
    const [role, binding] = leased as [Plain, Plain]
    assert.deepEqual(role.rules[0].resourceNames, ['eventsource-es'])
    assert.deepEqual(role.rules[0].verbs, ['get', 'update'])
    assert.equal(binding.subjects[0].name, 'default')
    assert.equal(podOf(leased).automountServiceAccountToken, undefined)
    assert.equal(podOf(built(webhook)).automountServiceAccountToken, false)
    const asking = { entries: [{ type: 'any', name: 'e', spec: {}, place, needs: ['kubernetes' as const] }] }
    assert.equal(podOf(built(webhook, asking)).automountServiceAccountToken, undefined, 'a type that needs it')
    assert.equal(podOf(built(webhook, {}, { kafka: { url: 'k', topic: 't' } })).automountServiceAccountToken, undefined)
    assert.equal(
      podOf(built({ ...webhook, template: { serviceAccountName: 'me' } })).automountServiceAccountToken,
      undefined,
    )
  })

  test('scaling and changes of the Service replace no Pod', () => {
    const template = (objects: Plain[]) => objects.find(({ kind }) => kind === 'Deployment')!.spec.template
    const made = [0, 1, 2, 5].map((replicas) =>
      template(built({ ...webhook, replicas, service: { ports: [{ port: replicas + 1 }] } }, { replicas })),
    )
    for (const one of made) assert.deepEqual(one, made[0])
  })

  test('several ports of a Service get names', () => {
    const ports = [{ port: 1 }, { port: 2, name: 'b' }]
    const service = built({ ...webhook, service: { ports } })[1]!
    assert.deepEqual(service.spec.ports, [
      { name: 'port-1', port: 1 },
      { port: 2, name: 'b' },
    ])
  })

  test('the hash changes with what is asked for, and only then', () => {
    const hash = (objects: Plain[]) => objects[0]!.metadata.annotations['resource-spec-hash']
    assert.equal(hash(built(webhook)), hash(built(structuredClone(webhook))))
    assert.notEqual(hash(built(webhook)), hash(built(webhook, { replicas: 2 })))
  })
})

suite('EventBus', () => {
  const jetstream = (spec: Plain, more: Plain = {}) =>
    planBus({ bus: bus('jetstream', { version: 'latest', ...spec }), settings, ...more })
  const types = ({ conditions }: ReturnType<typeof planBus>) => conditions.map(({ type }) => type)
  const set = ({ objects }: ReturnType<typeof planBus>) => objects.find(({ kind }) => kind === 'StatefulSet') as Plain

  test('three replicas are persistent, spread and budgeted, without a warning', () => {
    const planned = jetstream({})
    assert.deepEqual(types(planned), ['Configured', 'Deployed'])
    assert.deepEqual(
      planned.objects.map(({ kind }) => kind),
      ['ConfigMap', 'Service', 'StatefulSet', 'PodDisruptionBudget'],
    )
    assert.equal(set(planned).spec.volumeClaimTemplates.length, 1)
    assert.equal(set(planned).spec.updateStrategy.type, 'RollingUpdate')
    assert.equal((planned.ours as Plain).jetstream.tls.caCertSecret.name, 'eventbus-default-js-server')
    assert.equal((planned.config as Plain).jetstream.tls, undefined)
  })

  test('one replica: a stream of one, synced at once, never restarted while it has no disk, and a warning', () => {
    const planned = jetstream({ replicas: 1 })
    assert.deepEqual(types(planned), ['Configured', 'Deployed', 'AtRisk'])
    assert.match((planned.config as Plain).jetstream.streamConfig, /^replicas: 1$/m)
    assert.equal(set(planned).spec.updateStrategy.type, 'OnDelete')
    const [config] = planned.objects as Plain[]
    assert.match(config!.data['nats-js'], /sync_interval: always/)
    assert.doesNotMatch(config!.data['nats-js'], /cluster \{/)
    assert.ok(isReady(planned.conditions))
  })

  test('the server stores no more than its disk holds', () => {
    const limit = (spec: Plain) =>
      (jetstream(spec).objects[0] as Plain).data['nats-js'].match(/max_file_store: (.*)/)[1]
    assert.equal(limit({}), `${Math.floor(20 * 1024 ** 3 * 0.95)}`)
    assert.equal(limit({ persistence: { volumeSize: '10G' } }), '9500000000')
    assert.equal(limit({ persistence: { volumeSize: 'much' } }), '1TB')
    assert.equal(limit({ settings: 'max_file_store: 7GB' }), '7GB')
    assert.equal(limit({ replicas: 1 }), '1TB')
  })

  test('what exists without volumes stays without: that cannot be changed', () => {
    const planned = jetstream({}, { present: { name: 'eventbus-default-js', replicas: 3, templates: [] } })
    assert.equal(set(planned).spec.volumeClaimTemplates, undefined)
    assert.match(planned.conditions.at(-1)!.message!, /no persistence/)
  })

  test("a version that cannot fence is said; an unknown one is an error in upstream's words", () => {
    assert.ok(types(jetstream({ version: '2.10.29' })).includes('FencingLeaseOnly'))
    const unknown = jetstream({ version: '9' })
    assert.deepEqual(unknown.config, null)
    assert.match(unknown.conditions[0]!.message!, /^unsupported version "9", supported versions: "latest, 2\.8\.1/)
    assert.equal(canFence(findVersion('latest', shippedVersions)), true)
    assert.equal(isReady(unknown.conditions), false)
  })

  test('Kafka gets its topic; NATS Streaming a clear condition, and is left alone', () => {
    const kafka = planBus({ bus: bus('kafka', { url: 'k:9092' }), settings })
    assert.deepEqual(kafka.config, { kafka: { url: 'k:9092', topic: 'ns-default' } })
    const stan = planBus({ bus: bus('nats', { native: {} }), settings })
    assert.deepEqual(stan.objects, [])
    assert.equal(stan.conditions[1]!.reason, 'NatsStreamingNotSupported')
    assert.equal(isReady(stan.conditions), false)
  })
})

test("a Sensor gets upstream's Deployment, and nothing of ours", () => {
  const spec = {
    replicas: 2,
    triggers: [{ template: { http: { secureHeaders: [{ valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] } } }],
  }
  const sensor = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Sensor', metadata: { name: 'sn', namespace: 'ns' }, spec }
  const [deployment] = sensorObjects({ sensor, bus: exotic, image: 'up:1', imagePullPolicy: 'Always' }) as Plain[]
  const { spec: pod } = deployment!.spec.template
  assert.deepEqual(Object.keys(pod), ['containers', 'volumes'])
  const { env, ...main } = pod.containers[0]
  assert.deepEqual(main, {
    name: 'main',
    image: 'up:1',
    imagePullPolicy: 'Always',
    args: ['sensor-service'],
    ports: [{ name: 'metrics', containerPort: 7777 }],
    volumeMounts: [
      { name: 'secret-s', mountPath: '/argo-events/secrets/s', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  })
  assert.deepEqual(
    env.map(({ name }: Plain) => name),
    ['SENSOR_OBJECT', 'EVENTBUS_SUBJECT', 'POD_NAME', 'LEADER_ELECTION', 'EVENTBUS_CONFIG'],
  )
  assert.equal(deployment!.spec.replicas, 2)
})

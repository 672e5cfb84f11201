/**
 * Changes of a native bus that runs, and what its status says of servers that do not get up: on a real API server whose controllers make claims
 * and Pods. There are no nodes: what a kubelet, a resizer and nats-servers would say is said here.
 */
import assert from 'node:assert/strict'
import { request } from 'node:https'
import { after, before, suite, test } from 'node:test'
import type { Holding } from '../../src/controller/eventBus/resize.ts'
import type { KubeObject, Resource } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Controller, type Plain, type Rig, resources, startRig } from './rig.ts'

const { configmaps, eventbus, persistentvolumeclaims, poddisruptionbudgets, pods, statefulsets } = resources
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver', 'kube-controller-manager']))
const NAME = 'eventbus-default-js'
const cluster = (group: string, plural: string, kind: string, namespaced = false): Resource => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced,
})
const storageclasses = cluster('storage.k8s.io', 'storageclasses', 'StorageClass')
const persistentvolumes = cluster('', 'persistentvolumes', 'PersistentVolume')
const resourcequotas = cluster('', 'resourcequotas', 'ResourceQuota', true)
/** So soon must trouble be in the status. */
const SOON_MS = 15_000

suite('a native bus that runs', { skip, timeout: 300_000, concurrency: 5 }, () => {
  let rig: Rig
  let controller: Controller
  /** By Pod IP. */
  const held = new Map<string, Holding>()
  before(async () => {
    rig = await startRig({ controllers: true })
    const readServer = async (ip: string) => held.get(ip) ?? 'nobody answers'
    controller = await rig.startController({ webhook: true, readServer })
    for (const [name, allowVolumeExpansion] of [
      ['wide', true],
      ['tight', false],
    ]) {
      const metadata = { name: name as string }
      const object = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata, provisioner: 'none' }
      await rig.admin.create(storageclasses, { ...object, allowVolumeExpansion })
    }
  })
  after(() => rig?.stop())

  const there = (what: string, condition: () => Promise<boolean>) => until(what, condition, 30_000)
  const get = async (resource: Resource, ns: string, name = NAME) => (await rig.get(resource, ns, name)) as Plain
  const conf = async (ns: string): Promise<string> => (await get(configmaps, ns, `${NAME}-config`)).data['nats-js']
  const busIn = (ns: string, spec = '') => `
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: ${ns} }
spec: { jetstream: { version: latest${spec} } }
`
  const says = async (ns: string, type: string, text: RegExp, withinMs = 30_000): Promise<Plain> => {
    let last: Plain | undefined
    await until(
      `${type} says ${text}`,
      async () => {
        last = await rig.condition(eventbus, ns, 'default', type)
        return text.test(last?.message ?? '')
      },
      withinMs,
    ).catch((error) => assert.fail(`${error.message}; it is ${JSON.stringify(last)}`))
    return last!
  }
  const quiet = (ns: string, type: string) =>
    there(`${type} is gone`, async () => (await rig.condition(eventbus, ns, 'default', type)) === undefined)

  /** Disks as a provisioner makes them. */
  async function disks(ns: string, storageClassName: string, servers: number): Promise<void> {
    for (let i = 0; i < servers; i++) {
      const claim = `${NAME}-vol-${NAME}-${i}`
      await there(`${claim} is there`, async () => (await rig.get(persistentvolumeclaims, ns, claim)) !== null)
      await rig.admin.create(persistentvolumes, {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `${ns}-${i}` },
        spec: {
          storageClassName,
          capacity: { storage: '20Gi' },
          accessModes: ['ReadWriteOnce'],
          hostPath: { path: '/nowhere' },
          claimRef: { namespace: ns, name: claim },
        },
      })
    }
    for (let i = 0; i < servers; i++) {
      const claim = `${NAME}-vol-${NAME}-${i}`
      await there(
        `${claim} is bound`,
        async () => (await get(persistentvolumeclaims, ns, claim)).status?.phase === 'Bound',
      )
    }
  }

  /** As a kubelet, with servers that are ready and hold this: Pods that never are keep the StatefulSet between two revisions. */
  async function run(ns: string, net: number, holdings: Holding[]): Promise<void> {
    for (const [i, holding] of holdings.entries()) {
      const podIP = `10.9.${net}.${i + 1}`
      held.set(podIP, holding)
      const name = `${NAME}-${i}`
      await there(`${name} is there`, async () => (await rig.get(pods, ns, name)) !== null)
      const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString() }]
      const status = { phase: 'Running', conditions, podIP, podIPs: [{ ip: podIP }] }
      const object: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: ns }, status }
      await rig.admin.applyStatus(pods, object, { manager: 'kubelet' })
    }
  }

  async function ask(ns: string, spec: Plain): Promise<Plain> {
    const { validatingwebhookconfigurations } = resources
    const name = 'webhook.argo-events.argoproj.io'
    const bundle = async () =>
      ((await rig.get(validatingwebhookconfigurations, '', name)) as Plain)?.webhooks[0].clientConfig.caBundle as
        | string
        | undefined
    await there('the webhook has its authority', async () => (await bundle()) !== undefined)
    const ca = Buffer.from((await bundle())!, 'base64')
    const oldObject = await get(eventbus, ns, 'default')
    const object = { ...oldObject, spec }
    return await new Promise((resolve, reject) => {
      const servername = 'events-webhook.argo-events.svc'
      const options = { host: '127.0.0.1', port: controller.webhookPort, path: '/validate', method: 'POST' }
      const call = request({ ...options, ca, servername }, async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        resolve(JSON.parse(text).response)
      })
      call.on('error', reject)
      const review = { uid: 'u', operation: 'UPDATE', object, oldObject }
      call.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: review }))
    })
  }

  const streams = (...names: string[]) => ({ streams: names.map((name) => ({ name, copies: 3 })), members: 3 })
  const onWide = (size: string) => `, persistence: { storageClassName: wide, volumeSize: ${size} }`

  test('fewer servers are refused while they hold anything, and all else of the change is carried out', async () => {
    const ns = await rig.kubernetes.namespace('fewer')
    await rig.apply(busIn(ns, onWide('20Gi')))
    await disks(ns, 'wide', 3)
    await run(ns, 1, [streams('default', 'KV_vedette'), streams('default'), streams('default', 'KV_vedette')])
    await rig.apply(busIn(ns, `, replicas: 1, maxPayload: 2MB${onWide('20Gi')}`))
    const refused = await says(
      ns,
      'ChangeRefused',
      /^replicas 1: 3 servers go on, because eventbus-default-js-1 would go/,
    )
    assert.equal(refused.status, 'True')
    assert.match((await get(eventbus, ns, 'default')).status.problem, /^replicas 1: 3 servers go on/)
    await there('the rest is done', async () => (await conf(ns)).includes('max_payload: 2MB'))
    assert.equal((await get(statefulsets, ns)).spec.replicas, 3)
    assert.match(await conf(ns), /cluster \{[^}]*default-js-2/)
    assert.notEqual(await rig.get(poddisruptionbudgets, ns, `${NAME}-pdb`), null)
    const denied = await ask(ns, { jetstream: { version: 'latest', replicas: 4 } })
    assert.equal(denied.allowed, true, denied.status?.message)
    await rig.apply(busIn(ns, onWide('20Gi')))
    await quiet(ns, 'ChangeRefused')
    const answer = await ask(ns, { jetstream: { version: 'latest', replicas: 1 } })
    assert.match(
      answer.status.message,
      /replicas 1: 3 servers go on, because eventbus-default-js-1 would go and still holds the stream "default"/,
    )
    const { uid } = (await get(pods, ns, `${NAME}-0`)).metadata
    // Once its events are on the server that stays, in one copy, it is done; the disks of the others go, so that none comes back old.
    held.set('10.9.1.1', { streams: [{ name: 'default', copies: 1 }], members: 3 })
    for (const ip of ['10.9.1.2', '10.9.1.3']) held.set(ip, { streams: [] })
    await rig.apply(busIn(ns, `, replicas: 1${onWide('20Gi')}`))
    await there('one is left', async () => (await get(statefulsets, ns)).spec.replicas === 1)
    assert.doesNotMatch(await conf(ns), /cluster \{/)
    const claims = await rig.admin.list(persistentvolumeclaims, { namespace: ns })
    const kept = claims.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    assert.deepEqual(
      kept.map(({ metadata }) => metadata.name),
      [`${NAME}-vol-${NAME}-0`],
    )
    // And a lone server joins no cluster with what it holds.
    await there(
      'it starts anew',
      async () => ![undefined, uid].includes((await rig.get(pods, ns, `${NAME}-0`))?.metadata.uid),
    )
    await rig.apply(busIn(ns, `, replicas: 3${onWide('20Gi')}`))
    // Its Pod may be made anew more than once, while the StatefulSet gets from one revision to the next, with its controller's pauses between.
    const isRefused = async () => {
      await run(ns, 1, [{ streams: [{ name: 'default', copies: 1 }] }]).catch(() => {})
      const { message = '' } = (await rig.condition(eventbus, ns, 'default', 'ChangeRefused')) ?? {}
      return /^replicas 3: one server goes on, because a lone nats-server that joins a cluster loses/.test(message)
    }
    await until('that is refused', isRefused, 90_000)
    assert.equal((await get(statefulsets, ns)).spec.replicas, 1)
    assert.doesNotMatch(await conf(ns), /cluster \{/)
  })

  test('disks grow where their class lets them, and a server stores no more than the smallest has', async () => {
    const ns = await rig.kubernetes.namespace('grown')
    await rig.apply(busIn(ns, onWide('20Gi')))
    await disks(ns, 'wide', 3)
    const before = await conf(ns)
    await rig.apply(busIn(ns, onWide('40Gi')))
    const claim = (i: number) => get(persistentvolumeclaims, ns, `${NAME}-vol-${NAME}-${i}`)
    await there('they ask for more', async () => (await claim(2)).spec.resources.requests.storage === '40Gi')
    await says(ns, 'DisksGrow', /has 20Gi of 40Gi/)
    assert.equal(await conf(ns), before)
    await rig.apply(busIn(ns, `, priority: 7${onWide('40Gi')}`))
    await there('later changes go through', async () => (await get(statefulsets, ns)).spec.template.spec.priority === 7)
    assert.equal((await get(statefulsets, ns)).spec.volumeClaimTemplates[0].spec.resources.requests.storage, '20Gi')
    for (const i of [0, 1, 2]) {
      assert.equal(await conf(ns), before)
      const status = { phase: 'Bound', capacity: { storage: '40Gi' } }
      const metadata = { name: `${NAME}-vol-${NAME}-${i}`, namespace: ns }
      const object = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, status }
      await rig.admin.applyStatus(persistentvolumeclaims, object, { manager: 'resizer' })
    }
    const bytes = `${Math.floor(40 * 1024 ** 3 * 0.95)}`
    await there('the servers may store more', async () => (await conf(ns)).includes(`max_file_store: ${bytes}`))
    await there(
      'and are started anew for it',
      async () =>
        (await get(statefulsets, ns)).spec.template.metadata.annotations?.['vedette.dev/file-store'] === bytes,
    )
    await rig.apply(busIn(ns, onWide('20Gi')))
    await says(ns, 'ChangeRefused', /^persistence\.volumeSize 20Gi: disks do not shrink; write 40Gi, which they have$/)
    assert.ok((await conf(ns)).includes(`max_file_store: ${bytes}`))
  })

  test('disks that cannot grow stay, with the reason, and nothing else is held up', async () => {
    const ns = await rig.kubernetes.namespace('tight')
    const onTight = (size: string, more = '') =>
      busIn(ns, `, persistence: { storageClassName: tight, volumeSize: ${size} }${more}`)
    await rig.apply(onTight('20Gi'))
    await disks(ns, 'tight', 3)
    const before = await conf(ns)
    const { message } = (
      await ask(ns, {
        jetstream: { version: 'latest', persistence: { storageClassName: 'tight', volumeSize: '40Gi' } },
      })
    ).status
    assert.match(message, /StorageClass "tight" does not let disks grow/)
    await rig.apply(onTight('40Gi', ', priority: 9'))
    const refused = await says(
      ns,
      'ChangeRefused',
      /^persistence\.volumeSize 40Gi: the disks stay as they are: StorageClass "tight"/,
    )
    assert.ok(refused.message.length < 250, refused.message)
    await there('the rest is done', async () => (await get(statefulsets, ns)).spec.template.spec.priority === 9)
    assert.equal(await conf(ns), before)
    await rig.apply(busIn(ns, ', persistence: { storageClassName: wide, accessMode: ReadWriteMany }'))
    const fixed = await says(ns, 'ChangeRefused', /storageClassName wide: the disks are of tight and stay so/)
    assert.match(fixed.message, /accessMode ReadWriteMany: the disks have ReadWriteOnce/)
    await rig.apply(`
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: ${ns} }
spec: { kafka: { url: "k:9092" } }
`)
    await says(ns, 'Configured', /^Can not change event bus implementation: StatefulSet "eventbus-default-js" runs/)
    assert.match((await get(eventbus, ns, 'default')).status.config.jetstream.url, /^nats:/)
  })

  test('what the API server would refuse is not begun', async () => {
    const ns = await rig.kubernetes.namespace('whole')
    await rig.apply(busIn(ns, onWide('20Gi')))
    await there('it is there', async () => (await rig.get(statefulsets, ns, NAME)) !== null)
    const before = await conf(ns)
    await rig.apply(busIn(ns, `, replicas: 5, maxPayload: 2MB, affinity: { nodeAffinity: 7 }${onWide('20Gi')}`))
    await says(ns, 'Deployed', /StatefulSet|statefulsets/i)
    assert.equal(await conf(ns), before)
  })

  test('servers that do not get up: quota, disks, nodes and images are named in time', async () => {
    const [refused, diskless, pulled] = await Promise.all(
      ['quota', 'nodisk', 'pull'].map((name) => rig.kubernetes.namespace(name)),
    )
    await rig.admin.create(resourcequotas, {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none', namespace: refused! },
      spec: { hard: { pods: '0' } },
    })
    await there(
      'the quota counts',
      async () => (await get(resourcequotas, refused!, 'none')).status?.hard !== undefined,
    )
    const since = Date.now()
    for (const ns of [refused, diskless]) await rig.apply(busIn(ns!))
    await rig.apply(busIn(pulled!, onWide('20Gi')))
    await says(refused!, 'ServersNotReady', /^servers are refused: .*exceeded quota/, SOON_MS)
    const claim = await says(
      diskless!,
      'ServersNotReady',
      /does not come: .*give the cluster a default StorageClass/,
      SOON_MS,
    )
    assert.equal(claim.reason, 'ClaimPending')
    assert.ok(Date.now() - since < SOON_MS)
    await rig.apply(busIn(diskless!, onWide('30Gi')))
    const { persistentvolumeclaims: claims } = resources
    await there('it is made anew with another class', async () => {
      const spec = ((await rig.get(claims, diskless!, `${NAME}-vol-${NAME}-2`)) as Plain | null)?.spec
      return spec?.storageClassName === 'wide' && spec.resources.requests.storage === '30Gi'
    })
    // Advice, and no refusal: who uses the bus goes on.
    assert.equal((await rig.condition(eventbus, diskless!, 'default', 'Deployed'))?.status, 'True')
    await disks(pulled!, 'wide', 3)
    await says(pulled!, 'ServersNotReady', /^Pod "eventbus-default-js-0": no node takes it/, SOON_MS)
    const waiting = { reason: 'ImagePullBackOff', message: 'Back-off pulling image "nats:2.15.2"' }
    const containerStatuses = [
      { name: 'main', state: { waiting }, ready: false, restartCount: 0, image: 'nats:2.15.2', imageID: '' },
    ]
    const status = { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'True' }], containerStatuses }
    const metadata = { name: `${NAME}-1`, namespace: pulled! }
    await rig.admin.applyStatus(pods, { apiVersion: 'v1', kind: 'Pod', metadata, status }, { manager: 'kubelet' })
    const pull = await says(
      pulled!,
      'ServersNotReady',
      /Pod "eventbus-default-js-1": container "main": ImagePullBackOff/,
      SOON_MS,
    )
    assert.equal(pull.reason, 'ImagePullBackOff')
  })
})

/** What the exchange does to each EventBus. Pure. */
import { type NotServed, renderingOf } from '../../buses/index.ts'
import type { KubeObject } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import { secretNames } from '../eventBus/credentials.ts'
import { statefulSetName } from '../eventBus/jetstream.ts'
import { canFence } from '../eventBus/versions.ts'
import { readObject } from '../reconcile/read.ts'
import type { CertificateForm } from './certificates.ts'
import { imageOf, replicasOf } from './found.ts'
import type { Snapshot } from './snapshot.ts'
import { nameOf, type Step } from './steps.ts'

export async function busSteps(snapshot: Snapshot): Promise<Step[]> {
  const steps = await Promise.all(snapshot.eventBuses.map((object) => stepsOf(object, snapshot)))
  return steps.flat()
}

async function stepsOf(object: KubeObject, snapshot: Snapshot): Promise<Step[]> {
  const { bus, errors } = await readObject(object)
  const step = { object: nameOf(object) }
  if (bus === null || errors.length > 0) {
    const why = errors.map(({ at, message }) => `${at}: ${message}`).join('; ') || 'it cannot be read'
    const what = `not valid, so nothing of it is touched: ${why}`
    const refusal = { reason: 'invalid', why, remedy: 'mend it first: vedette validate' }
    return [{ ...step, fate: 'left', what, refusal }]
  }
  const rendering = renderingOf(bus)
  if (rendering.what === 'servers') return nativeSteps(object, bus, snapshot)
  if (rendering.what === 'nothing') return [{ ...step, ...notServed(rendering, bus, snapshot) }]
  return [{ ...step, fate: 'taken over', what: `${rendering.exchanged}${letGo(object)}` }]
}

const letGo = ({ metadata: { finalizers = [] } }: KubeObject) =>
  finalizers.includes('eventbus-controller')
    ? '. Its finalizer is let go of: there is nothing to do at its deletion'
    : ''

function notServed(
  { title, kept }: NotServed & { title: string },
  { namespace, name }: EventBus,
  { eventSources, sensors }: Snapshot,
): Omit<Step, 'object'> {
  const users = [...eventSources, ...sensors].filter(
    ({ metadata, spec }) =>
      metadata.namespace === namespace && ((spec as { eventBusName?: string }).eventBusName || 'default') === name,
  )
  const who = users.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(', ')
  const what = `${title} is not supported: what runs is left alone, and so is who uses it${who === '' ? '' : ` (${who})`}: no controller would bring their changes about`
  if (users.length === 0) return { fate: 'left', what }
  return { fate: 'left', what, refusal: { ...kept, why: what } }
}

function nativeSteps(object: KubeObject, bus: EventBus, snapshot: Snapshot): Step[] {
  const live = snapshot.statefulSets.find(
    ({ metadata }) => metadata.namespace === bus.namespace && metadata.name === statefulSetName(bus),
  )
  const form = snapshot.certificates.get(`${bus.namespace}/${bus.name}`) ?? 'missing'
  const [server, client] = [secretNames(bus.name).server, secretNames(bus.name).client]
  return [
    ...serverSteps(object, live),
    { object: `Secret ${bus.namespace}/${server}`, ...forms[form] },
    { object: `Secret ${bus.namespace}/${client}`, fate: 'taken over', what: 'as it is' },
    ...claimSteps(bus, snapshot),
  ]
}

function serverSteps(object: KubeObject, live: KubeObject | undefined): Step[] {
  const step = { object: nameOf(object), fate: 'taken over' as const }
  if (live === undefined) return [{ ...step, what: 'nothing runs yet: its servers are made' }]
  const { volumeClaimTemplates = [] } = live.spec as { volumeClaimTemplates?: unknown[] }
  const [servers, image, copies] = [replicasOf(live), imageOf(live) ?? '', copiesIn(object)]
  const persistent = volumeClaimTemplates.length > 0
  const disks = persistent ? 'a disk each' : 'no disks'
  return [
    {
      ...step,
      what: `${servers} servers of ${image} with ${disks}, ${copies} ${copies === 1 ? 'copy' : 'copies'} of each event. ${fencing(image)}${persistent ? '' : letGo(object)}`,
    },
    {
      object: nameOf(live),
      fate: 'changed',
      what: 'its Pods run on, with the NATS that they have. Security settings, spread and budget are added to its template: a Pod gets them when it is deleted, all do by the next change of spec.jetstream',
    },
  ]
}

/** As Argo Events has told its EventSources; what it ships is three. */
function copiesIn({ status }: KubeObject): number {
  const { config } = (status ?? {}) as { config?: { jetstream?: { streamConfig?: string } } }
  return Number(/^replicas: *(\d+)/im.exec(config?.jetstream?.streamConfig ?? '')?.[1] ?? 3)
}

function fencing(image: string | undefined): string {
  const can = image === undefined ? true : canFence({ natsImage: image } as never)
  if (can === true) return 'The writes of a deposed leader are refused by the bus'
  const why =
    can === false ? 'this NATS has no atomic batches (2.12 or newer has)' : 'its image does not say its version'
  return `The writes of a deposed leader are kept out by the lease alone: ${why}. To upgrade the bus is a step of its own, after the exchange: from then on Argo Events' NATS cannot read its store, so there is no way back`
}

const forms: Record<CertificateForm, Pick<Step, 'fate' | 'what' | 'refusal'>> = {
  'one name': {
    fate: 'taken over',
    what: "certificates in Argo Events' form stay; our Pods know the server by the certificate that the Secret holds",
  },
  plain: { fate: 'taken over', what: 'certificates stay, and are verified as usual' },
  missing: { fate: 'changed', what: 'is missing: made anew' },
  unreadable: {
    fate: 'left',
    what: 'its certificates cannot be read',
    refusal: {
      reason: 'certificates',
      why: 'no Pod of ours could tell its server',
      remedy: 'delete the Secret when no server has to restart; Argo Events makes it anew',
    },
  },
  unseen: { fate: 'taken over', what: 'not looked at: you may not read it. The controller will' },
}

function claimSteps({ namespace, name }: EventBus, { claims }: Snapshot): Step[] {
  return claims
    .filter(
      ({ metadata: { labels = {}, namespace: at } }) =>
        at === namespace && labels['eventbus-name'] === name && labels.controller === 'eventbus-controller',
    )
    .map((claim) => ({ object: nameOf(claim), fate: 'taken over', what: 'as it is' }))
}

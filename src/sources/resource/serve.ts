/**
 * Watches objects from where the last leader stopped. The API server still knows for some minutes how all was at that moment: then nothing is
 * missed, and updates have what was before. Once it has forgotten, what is there now is compared with what was last told.
 */
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import { createKubeClient, type KubeClient, type ListOptions } from '../../kube/client.ts'
import { kubeConfiguration } from '../../kube/configuration.ts'
import type { KubeObject } from '../../kube/resources.ts'
import type { EntryContext, FollowContext, Predecessor } from '../../source.ts'
import { type Hand, sideBySide } from '../queues/side-by-side.ts'
import { type Remembered, type RememberedPosition, remember } from '../states/remembered.ts'
import { objectFilter } from './filter.ts'
import { eventPayload, objectJson } from './payload.ts'
import { beginnings, type ToldByOthers, toldByOthers } from './predecessor.ts'
import { type EventType, labelSelector, type ResourceSpec, resourceOf } from './spec.ts'

/** An object as last told: its resourceVersion, its name (`namespace/name`), and 1 when the filter let it through. */
type Told = [resourceVersion: string, name: string, meant: 0 | 1]
interface Mark {
  /** Everything up to it is told. */
  resourceVersion: string
  /** When the entry began to serve for the first time, milliseconds since the epoch. */
  startMs: number
  /** What such objects are called, once one was seen. */
  kind: string
}
export type ResourcePosition = RememberedPosition<Told, Mark>
type Known = Remembered<Told, Mark>
type Context = FollowContext<ResourceSpec, ResourcePosition>

/** Events that are published side by side. */
export const IN_FLIGHT = 128
/** A listing of many objects takes long. */
const LISTING_MS = 300_000

/** The API server can be reached, and listing is permitted. */
export async function standBy(ctx: EntryContext<ResourceSpec>): Promise<void> {
  const client = await connect(ctx)
  try {
    await client.list(resourceOf(ctx.spec), { ...selection(ctx), pageSize: 1, most: 1 })
    ctx.condition(null)
    await whenAborted(ctx.signal)
  } finally {
    await client.close()
  }
}

/** The moment, as the API server counts: it knows for some minutes how all was then. */
export async function lookOnce(ctx: EntryContext<ResourceSpec>): Promise<string> {
  const client = await connect(ctx)
  try {
    const { resourceVersion } = await client.list(resourceOf(ctx.spec), { ...selection(ctx), pageSize: 1, most: 1 })
    return resourceVersion
  } finally {
    await client.close()
  }
}

export async function serveResource(ctx: Context): Promise<void> {
  const client = await connect(ctx)
  const { hand, failed, settled, done } = sideBySide(IN_FLIGHT)
  const ended = new AbortController()
  const signal = AbortSignal.any([ctx.signal, ended.signal])
  const work = async (): Promise<never> => {
    ctx.reading(LISTING_MS)
    const known: Known = await remember(ctx, ctx.clock)
    const story = await begin(ctx, client, known, { hand, done, signal })
    ctx.condition(null)
    // From here on the API server calls, and its silence is watched.
    ctx.reading()
    for (;;) {
      try {
        await follow(ctx, client, story, known, done, signal)
      } catch (error) {
        // Its cache of changes may be younger (it was restarted) than what it can list.
        if (!isVedetteError(error, 'KUBERNETES_GONE')) throw error
        await compare(ctx, client, story, known, { hand, done, signal })
      }
    }
  }
  try {
    await Promise.race([work(), failed, whenAborted(ctx.signal)])
  } finally {
    ended.abort(fail('SHUTTING_DOWN', 'the entry stops serving'))
    await settled()
    await client.close()
  }
}

async function connect(ctx: EntryContext<ResourceSpec>): Promise<KubeClient> {
  try {
    return createKubeClient(await kubeConfiguration({ clock: ctx.clock }), ctx.clock)
  } catch (error) {
    const text = `failed to get a K8s rest config for the event source ${ctx.entry}, ${messageOf(error)}`
    throw fail(isVedetteError(error) ? error.code : 'KUBERNETES_CONFIG', text, {}, { cause: error })
  }
}

function selection({ spec, signal }: EntryContext<ResourceSpec>): ListOptions {
  const { namespace } = spec
  return { namespace: namespace === '' ? undefined : namespace, labelSelector: labelSelector(spec), signal }
}

/** What is told of each object. */
interface Story {
  /** When the entry began to serve for the first time. */
  readonly startMs: number
  readonly toldByOthers: ToldByOthers
  /** It is there, and nothing is told of it. */
  see(object: KubeObject): void
  /** An object as last seen by this process, where updates are told. */
  seen(uid: string): KubeObject | undefined
  /** Of a listing, for {@link Known}. */
  toldOf(objects: KubeObject[]): Map<string, Told>
  /** @param object as it is now, or was when it was deleted */
  tell(type: EventType, object: KubeObject, resourceVersion: string): Promise<void>
}

interface Means {
  hand: Hand
  done: () => Promise<void>
  signal: AbortSignal
}

/**
 * Begins where the last leader stopped; at the very first start tells what is there. After Argo Events' own Pods it begins with what was there when
 * they told the last, or while they still served.
 */
async function begin(ctx: Context, client: KubeClient, known: Known, means: Means): Promise<Story> {
  const marks = marksToBeginAt(ctx.predecessor(), known.mark)
  const story = createStory(ctx, known, marks[0]?.startMs ?? ctx.clock.now(), means.hand)
  for (const mark of marks) {
    const options = { ...selection(ctx), signal: means.signal, at: mark.resourceVersion }
    const then = await atThatMoment(() => client.list(resourceOf(ctx.spec), options))
    if (then === null) continue
    for (const object of then.items) story.see(object)
    await known.begin(story.toldOf(then.items), { ...mark, kind: then.items[0]?.kind ?? mark.kind })
    return story
  }
  if (marks.length > 0)
    ctx.log.info('the API server no longer knows what there was when this was last told: what is there now is compared')
  await compare(ctx, client, story, known, means)
  return story
}

/** The best first; none: nobody ever told anything. */
function marksToBeginAt(before: Predecessor | null, known: Mark | null): Mark[] {
  const theirs = known === null || before?.more === true ? beginnings(before) : []
  if (theirs.length === 0) return known === null ? [] : [known]
  return theirs.map(({ resourceVersion, atMs }) => ({ resourceVersion, startMs: known?.startMs ?? atMs, kind: '' }))
}

/** Tells how what is there now differs from what was last told: each object's final state. */
async function compare(ctx: Context, client: KubeClient, story: Story, known: Known, means: Means): Promise<void> {
  const { spec } = ctx
  const { mark, things: before } = known
  const now = await client.list(resourceOf(spec), { ...selection(ctx), signal: means.signal })
  const { resourceVersion } = now
  const there = new Set(now.items.map(uidOf))
  for (const [uid, [version, name, meant]] of [...(before ?? [])]) {
    if (there.has(uid) || meant === 0) continue
    await story.tell('DELETE', story.seen(uid) ?? ghost(spec, mark!.kind, uid, version, name), resourceVersion)
  }
  // At the first start of an entry that tells only what happens after it, what is there is just looked at.
  const silent = mark === null ? spec.filter?.afterStart === true : before === null
  if (mark !== null && before === null)
    ctx.log.warn('what was last told is not known any more: what happened since then is not reported')
  for (const object of now.items) {
    const last = before === null ? story.toldByOthers.lastOf(uidOf(object)) : before.get(uidOf(object))?.[0]
    if (silent || last === object.metadata.resourceVersion) story.see(object)
    else await story.tell(last === undefined ? 'ADD' : 'UPDATE', object, resourceVersion)
  }
  await means.done()
  const kind = now.items[0]?.kind ?? mark?.kind ?? ''
  await known.begin(story.toldOf(now.items), { resourceVersion, startMs: story.startMs, kind })
}

/** Null when the API server has forgotten that moment, or never knew it (a restored etcd). */
async function atThatMoment<T>(list: () => Promise<T>): Promise<T | null> {
  try {
    return await list()
  } catch (error) {
    const forgotten =
      isVedetteError(error, 'KUBERNETES_GONE') ||
      (isVedetteError(error) && /Too large resource version/.test(error.message))
    if (forgotten) return null
    throw error
  }
}

function createStory(ctx: Context, known: Known, startMs: number, hand: Hand): Story {
  const { spec } = ctx
  const filter = objectFilter(spec, startMs, () => ctx.clock.now())
  /** JSON of each object by uid, where updates are told: they say what was before. */
  const bodies = new Map<string, string>()
  const wanted = new Set(spec.eventTypes)
  const others = toldByOthers(ctx.predecessor())
  const keep = (uid: string, body: string) => wanted.has('UPDATE') && bodies.set(uid, body)
  // Whether its deletion will be meant: nobody can look at it then.
  const told = (object: KubeObject): Told => [
    object.metadata.resourceVersion ?? '',
    nameOf(object),
    filter('DELETE', object) ? 1 : 0,
  ]
  return {
    startMs,
    toldByOthers: others,
    see: (object) => void keep(uidOf(object), objectJson(object)),
    seen(uid) {
      const body = bodies.get(uid)
      return body === undefined ? undefined : (JSON.parse(body) as KubeObject)
    },
    toldOf: (objects) => new Map(objects.map((object) => [uidOf(object), told(object)])),
    async tell(type, object, resourceVersion) {
      const uid = uidOf(object)
      const last = known.things?.get(uid)
      const oldBody = bodies.get(uid) ?? null
      const body = objectJson(object)
      if (type === 'DELETE') bodies.delete(uid)
      else keep(uid, body)
      const mark = { resourceVersion, startMs, kind: object.kind }
      const position = known.change(uid, type === 'DELETE' ? null : told(object), mark)
      const done = others.told(type, uid, object.metadata.resourceVersion ?? '')
      if (done || !wanted.has(type) || !filter(type, object)) return await hand(() => ctx.advance(position))
      const data = eventPayload(type, { body, oldBody: type === 'UPDATE' ? oldBody : null }, spec)
      // A deletion is known by what was last told of the object: a listing does not show when it was.
      const version = type === 'DELETE' ? last?.[0] : object.metadata.resourceVersion
      const item = { what: `${type} of ${nameOf(object)}`, fate: 'the cluster has the object as it is' }
      await hand(() => ctx.emit({ data, id: `${type}:${uid}:${version ?? ''}`, position, item }))
    },
  }
}

/** One watch, until the server ends it, as it regularly does. */
async function follow(
  ctx: Context,
  client: KubeClient,
  story: Story,
  known: Known,
  done: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { resourceVersion } = known.mark!
  const options = { ...selection(ctx), signal, resourceVersion }
  for await (const { type, object } of client.watch(resourceOf(ctx.spec), options)) {
    const version = object.metadata.resourceVersion ?? known.mark!.resourceVersion
    if (type === 'BOOKMARK') await known.moveOn({ ...known.mark!, resourceVersion: version })
    else if (type === 'DELETED') await story.tell('DELETE', object, version)
    else if (known.things?.get(uidOf(object))?.[0] !== version)
      await story.tell(type === 'ADDED' ? 'ADD' : 'UPDATE', object, version)
    await known.save(done)
  }
}

const uidOf = ({ metadata }: KubeObject): string => metadata.uid ?? `${metadata.namespace ?? ''}/${metadata.name}`
const nameOf = ({ metadata: { namespace, name } }: KubeObject) => `${namespace ?? ''}/${name}`

/** All that is known of an object that was deleted while nobody watched. */
function ghost(
  { group, version }: ResourceSpec,
  kind: string,
  uid: string,
  resourceVersion: string,
  of: string,
): KubeObject {
  const [namespace, name] = of.split('/') as [string, string]
  const place = namespace === '' ? { name } : { name, namespace }
  const apiVersion = group === '' ? version : `${group}/${version}`
  return { apiVersion, kind, metadata: { ...place, resourceVersion, uid } }
}

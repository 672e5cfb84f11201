/** Listens to a bucket; compares it with what was last told first, for what happened while nobody listened. */
import { fail } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { EntryContext, FollowContext, Item } from '../../source.ts'
import { payloadOrSkip } from '../queues/hand-over.ts'
import { type Hand, sideBySide } from '../queues/side-by-side.ts'
import { MOST_REMEMBERED, type Remembered, type RememberedPosition, remember } from '../states/remembered.ts'
import { madeUpRecord, notificationPayload } from './payload.ts'
import { leftBy, type Seen, toldByOthers } from './predecessor.ts'
import { CREATED, CREATES, type Heard, idOf, REMOVED, SEQUENCER, writtenMs } from './records.ts'
import { type Bucket, type Listed, openBucket } from './s3.ts'
import { bucketOf, type MinioSpec, wants } from './spec.ts'

/** Milliseconds since the epoch: of each object its time of writing, and the latest of all that was told. */
export type MinioPosition = RememberedPosition<number, number>
type Known = Remembered<number, number>
type Context = FollowContext<MinioSpec, MinioPosition>

/** Events that are published side by side. */
export const IN_FLIGHT = 256
/** Notifications that wait for the bus. When there are more the rest is found by listing: MinIO keeps none for slow listeners. */
const MOST_WAITING = 20_000
/** How far back a listing is looked at in a bucket that is too large to be remembered. */
const OVERLAP_MS = 60_000
/** A page of a listing takes no longer. */
const PAGE_MS = 120_000

/** The bucket can be read with these keys; nothing is listened to. */
export async function standBy(ctx: EntryContext<MinioSpec>): Promise<void> {
  const bucket = await openBucket(ctx)
  try {
    await bucket.list(ctx.signal, () => false, 1)
    ctx.condition(null)
    await whenAborted(ctx.signal)
  } finally {
    await bucket.close()
  }
}

/** The objects as they are; null: too many to be remembered. */
export async function lookOnce(ctx: EntryContext<MinioSpec>): Promise<Seen> {
  const bucket = await openBucket(ctx)
  try {
    return await listed(bucket, ctx.signal, () => {})
  } finally {
    await bucket.close()
  }
}

export async function serveBucket(ctx: Context): Promise<void> {
  const bucket = await openBucket(ctx)
  const ended = new AbortController()
  const signal = AbortSignal.any([ctx.signal, ended.signal])
  const { hand, failed, settled, done } = sideBySide(IN_FLIGHT)
  try {
    const heard = hear(await bucket.listen(signal), signal)
    ctx.condition(null)
    const work = async () => {
      const known: Known = await remember(ctx, ctx.clock)
      const began = leftBy(ctx.predecessor(), known.mark === null)
      if (began !== null) await known.begin(began.objects, began.modifiedMs)
      const latest = await catchUp(ctx, bucket, known, hand, signal)
      // What a snapshot holds counts as told.
      await done()
      await known.begin(latest.objects, Math.max(latest.modifiedMs, known.mark ?? 0))
      // From here on MinIO calls, and its silence is watched.
      ctx.reading()
      for (;;) {
        const line = await heard.next()
        await tell(ctx, bucket, line, known, hand)
        await known.save(done)
      }
    }
    await Promise.race([work(), heard.failed, failed, whenAborted(ctx.signal)])
  } finally {
    ended.abort(fail('SHUTTING_DOWN', 'the entry stops serving'))
    await settled()
    await bucket.close()
  }
}

/** Reads on whatever the bus does, since MinIO drops what a listener does not take. */
function hear(lines: AsyncIterable<string>, signal: AbortSignal) {
  const waiting: string[] = []
  let wake = () => {}
  const read = async (): Promise<never> => {
    for await (const line of lines) {
      if (line.trim() === '') continue
      if (waiting.push(line) > MOST_WAITING)
        throw fail('ORIGIN_UNAVAILABLE', `more than ${MOST_WAITING} notifications wait: the rest is found by listing`)
      wake()
    }
    throw fail('ORIGIN_UNAVAILABLE', 'the stream of notifications has ended')
  }
  const failed = read()
  failed.catch(() => {})
  return {
    failed,
    async next(): Promise<string> {
      while (waiting.length === 0) {
        signal.throwIfAborted()
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return waiting.shift()!
    },
  }
}

async function listed(bucket: Bucket, signal: AbortSignal, each: (page: Listed[]) => void): Promise<Seen> {
  const seen: Seen = { objects: new Map(), modifiedMs: 0 }
  await bucket.list(signal, (page) => {
    each(page)
    for (const { key, modifiedMs } of page) {
      seen.modifiedMs = Math.max(seen.modifiedMs, modifiedMs)
      seen.objects?.set(key, modifiedMs)
    }
    if (seen.objects !== null && seen.objects.size > MOST_REMEMBERED) seen.objects = null
    return true
  })
  return seen
}

/** Tells what a listing shows and nobody was told; at the very first start it only looks. @returns the listing */
async function catchUp(ctx: Context, bucket: Bucket, known: Known, hand: Hand, signal: AbortSignal): Promise<Seen> {
  const { spec } = ctx
  const { things: before, mark: sinceMs } = known
  const news: Listed[] = []
  const { objects, modifiedMs: latestMs } = await listed(bucket, signal, (page) => {
    ctx.reading(PAGE_MS)
    for (const one of page) {
      const isNew =
        before === null ? one.modifiedMs >= (sinceMs ?? 0) - OVERLAP_MS : before.get(one.key) !== one.modifiedMs
      if (isNew && sinceMs !== null) news.push(one)
    }
  })
  if (sinceMs !== null && before === null && objects !== null) {
    ctx.log.warn('the bucket as last seen is not known any more; what was removed since then is not reported')
  }
  const told = toldByOthers(ctx.predecessor())
  const make = async (
    name: string,
    key: string,
    modifiedMs: number,
    object: Partial<Listed>,
    position: MinioPosition,
  ) => {
    if (!wants(spec, name) || told(name, key, modifiedMs)) return await hand(() => ctx.advance(position))
    const record = madeUpRecord(bucketOf(spec), name, { ...object, key, modifiedMs })
    const data = notificationPayload([record], spec.metadata)
    await hand(() => ctx.emit({ data, id: idOf(name, key, modifiedMs), position, item: itemOf(name, key) }))
  }
  const gone = before === null || objects === null ? [] : [...before].filter(([key]) => !objects.has(key))
  for (const [key, modifiedMs] of gone)
    await make(`${REMOVED}Delete`, key, modifiedMs, {}, known.change(key, null, known.mark!))
  for (const one of news.sort((a, b) => a.modifiedMs - b.modifiedMs)) {
    // The tag of an object that came in parts says how many there were.
    const name = `${CREATED}${/-\d+$/.test(one.eTag) ? 'CompleteMultipartUpload' : 'Put'}`
    await make(name, one.key, one.modifiedMs, one, changed(known, one.key, one.modifiedMs))
  }
  return { objects, modifiedMs: latestMs }
}

const FATE = 'the objects are in the bucket as they are'
const itemOf = (name: string, key: string): Item => ({ what: `${name} of ${key}`, fate: FATE })

/** One line: mostly one record, never none of ours. */
async function tell(ctx: Context, bucket: Bucket, line: string, known: Known, hand: Hand): Promise<void> {
  const records = recordsOf(line)
  if (records === null) return ctx.skip('a notification', new Error('it is no JSON of MinIO'), FATE)
  if (records.length === 0) return
  const texts = records.map((record) => JSON.stringify(record))
  const data = payloadOrSkip(ctx, { what: 'a notification', fate: FATE }, () =>
    notificationPayload(texts, ctx.spec.metadata),
  )
  if (data === null) return
  const [first] = records as [Heard]
  const item = itemOf(first.eventName ?? '', first.s3?.object?.key ?? '')
  const change = records.length > 1 ? null : await changeOf(ctx, bucket, first, known)
  // Of what was read, tagged or replicated there is no state to compare: it is told when it is heard.
  if (change === null) return await hand(() => ctx.emit({ data, item }))
  const { id, position } = change
  const meant = wants(ctx.spec, first.eventName ?? '')
  await hand(() => (meant ? ctx.emit({ data, id, position, item }) : ctx.advance(position)))
}

/** What a notification means for what a listing will show; null: nothing. */
async function changeOf(
  ctx: Context,
  bucket: Bucket,
  { eventName = '', s3 }: Heard,
  known: Known,
): Promise<{ id: string; position: MinioPosition } | null> {
  const { key = '', sequencer = '', versionId = '' } = s3?.object ?? {}
  if (key === '') return null
  if (CREATES.test(eventName) && SEQUENCER.test(sequencer)) {
    const modifiedMs = writtenMs(sequencer)
    return { id: idOf(eventName, key, modifiedMs), position: changed(known, key, modifiedMs) }
  }
  if (!eventName.startsWith(REMOVED)) return null
  if (versionId !== '' && eventName === `${REMOVED}Delete`) {
    // One version of it: another may be what a listing shows now.
    const there = await bucket.look(key, ctx.signal)
    const position = known.change(key, there?.modifiedMs ?? null, known.mark!)
    return { id: `${REMOVED}version:${versionId}:${key}`, position }
  }
  const modifiedMs = known.things?.get(key)
  const id = modifiedMs === undefined ? `${REMOVED}${sequencer}:${key}` : idOf(eventName, key, modifiedMs)
  return { id, position: known.change(key, null, known.mark!) }
}

const changed = (known: Known, key: string, modifiedMs: number): MinioPosition =>
  known.change(key, modifiedMs, Math.max(known.mark ?? 0, modifiedMs))

function recordsOf(line: string): Heard[] | null {
  try {
    const { Records } = JSON.parse(line) as { Records?: unknown }
    return Array.isArray(Records) ? (Records as Heard[]) : []
  } catch {
    return null
  }
}

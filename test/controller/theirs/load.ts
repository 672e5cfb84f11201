/** What goes on in a namespace during all of an exchange, and its judgement by the stream. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { KubeClient } from '../../../src/kube/client.ts'
import { type KubeObject, resources } from '../../../src/kube/resources.ts'
import { goTimeMs } from '../../../src/sources/calendar/go-time.ts'
import { dataOf } from '../../faults/rig.ts'
import { type Crowd, startCrowd } from '../../faults/senders.ts'
import type { Logged } from '../../faults/stream-log.ts'
import { type RowSeen, rowIn, type Telling, withLateTicks } from './row.ts'
import { type Kind, LOAD_LABEL } from './sources.ts'

const FILE_MS = 200
const MAP_MS = 300

export interface Load {
  /** By the name of the EventSource. */
  readonly crowds: ReadonlyMap<string, Crowd>
  /** Ends it all. @returns when each file and each ConfigMap was made, milliseconds since the epoch */
  stop(): Promise<{ drop: number[]; maps: number[] }>
}

/** Files and ConfigMaps are made with their number in the name, one after the other. @param hooks name and address of each EventSource with a webhook */
export function startLoad(
  t: Pick<TestContext, 'after'>,
  client: KubeClient,
  { namespace, files, hooks }: { namespace: string; files: string; hooks: readonly (readonly [string, string])[] },
): Load {
  let over = false
  t.after(() => {
    over = true
  })
  const crowds = new Map(
    hooks.map(([name, address]) => [
      name,
      startCrowd(t, `http://${address}/orders`, { senders: 3, pauseMs: 100, name: `${name}-` }),
    ]),
  )
  const counted = async (everyMs: number, make: (n: number) => Promise<unknown>): Promise<number[]> => {
    const times: number[] = []
    while (!over) {
      times.push(Date.now())
      await make(times.length - 1)
      await pause(everyMs)
    }
    return times
  }
  const labels = { [LOAD_LABEL.key]: LOAD_LABEL.value }
  const makeMap = (n: number) =>
    client.create(resources.configmaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `m-${n}`, namespace, labels },
    })
  const made = Promise.all([
    counted(FILE_MS, async (n) => writeFileSync(join(files, `f-${n}`), '')),
    counted(MAP_MS, makeMap),
  ])
  made.catch(() => {})
  return {
    crowds,
    async stop() {
      over = true
      const [drop, maps] = await made
      await Promise.all([...crowds.values()].map((crowd) => crowd.stop()))
      return { drop, maps }
    },
  }
}

/** Ours say by a header in which namespace they are. */
export const isOurs = ({ namespace }: Logged): boolean => namespace !== ''

/** The number of what an event tells of. */
const numberOf: Record<Exclude<Kind, 'hooks'>, (data: Record<string, any>) => number> = {
  clock: secondOf,
  beat: secondOf,
  drop: ({ name }) => Number(/f-(\d+)$/.exec(name)![1]),
  maps: ({ body }) => Number(/^m-(\d+)$/.exec((body as KubeObject).metadata.name)![1]),
}

function secondOf({ eventTime }: Record<string, any>): number {
  return Math.floor((goTimeMs(eventTime) ?? Date.parse(eventTime)) / 1_000)
}

export const eventsOf = (events: readonly Logged[], source: string): Logged[] =>
  events.filter(({ subject }) => subject.startsWith(`default.${source}.`))

/** @param last the number of the last one that was made; left out: the last that was told */
export function rowOf(events: readonly Logged[], kind: Exclude<Kind, 'hooks'>, source: string, last?: number): RowSeen {
  const tellings: Telling[] = eventsOf(events, source).map((one) => ({
    n: numberOf[kind](dataOf(one)),
    ours: isOurs(one),
  }))
  return rowIn(kind === 'clock' || kind === 'beat' ? withLateTicks(tellings) : tellings, last)
}

/** A way of the exchange, from its beginning until the others serve, milliseconds since the epoch. */
export interface Phase {
  name: 'there' | 'back'
  fromMs: number
  toMs: number
}

/**
 * Nothing of ours is missing or doubled; what theirs miss is of the moments in which they follow ours, or one another, and is not much.
 * @param atMs when the thing of this number was made @param mostMs how long each time
 * @param replicas on the way there the second of theirs may follow the first, before ours do
 * @returns for people, and what is not so
 */
export function judgeRow(
  { told, lost, doubled, exchanges }: RowSeen,
  {
    phases,
    atMs,
    mostMs,
    retells,
    replicas,
  }: { phases: readonly Phase[]; atMs(n: number): number; mostMs: number; retells: boolean; replicas: number },
): { text: string; wrong: string[] } {
  const wrong: string[] = []
  const none = (what: string, some: readonly number[]) => some.length > 0 && wrong.push(`${what}: ${some}`)
  none('lost before ours told', lost.ours)
  none('doubled by ours', doubled.ours)
  if (!retells) none('doubled by theirs', doubled.theirs)
  const followed = phases.filter(({ name }) => name === 'back' || replicas > 1)
  const lostIn = ({ fromMs, toMs }: Phase) => lost.theirs.filter((n) => atMs(n) >= fromMs && atMs(n) <= toMs)
  const each = followed.map(lostIn)
  const rest = lost.theirs.filter((n) => !each.flat().includes(n))
  none('lost at other times than when theirs followed', rest)
  for (const some of each)
    if (some.length > 0 && atMs(some.at(-1)!) - atMs(some[0]!) >= mostMs) none('lost for longer than theirs may', some)
  // A last one that is being told while the next tells already may count once more.
  if (exchanges < phases.length) wrong.push(`${exchanges} exchanges`)
  const again =
    doubled.theirs.length === 0 ? '' : `, ${doubled.theirs.length} told again by theirs, as at each of their starts`
  const by = followed.map(({ name }, i) => `${name} ${each[i]!.length}`)
  return { text: `${told} told; lost by theirs on the way ${by.join(', ')}${again}`, wrong }
}

export interface HooksSeen {
  acknowledged: number
  /** Answered 200 and not on the stream. */
  lost: string[]
  /** On the stream more than once: the sender was not answered, and sent it again. */
  doubled: string[]
  /** Attempts that were not answered 200, which the senders repeated. */
  repeated: number
}

export function hooksOf(events: readonly Logged[], source: string, crowd: Crowd): HooksSeen {
  const count = new Map<string, number>()
  for (const one of eventsOf(events, source)) {
    const { key } = dataOf(one).body as { key: string }
    count.set(key, (count.get(key) ?? 0) + 1)
  }
  let repeated = 0
  for (const [status, times] of crowd.statuses) if (status !== 200) repeated += times
  assert.ok(crowd.acknowledged.length > 0)
  return {
    ...{ acknowledged: crowd.acknowledged.length, repeated },
    lost: crowd.acknowledged.filter((key) => !count.has(key)),
    doubled: [...count].filter(([, times]) => times > 1).map(([key]) => key),
  }
}

/**
 * What an exchange with Argo Events' own Pods needs: their calendar worker, as far as the bus shows it, and the row of ticks across both. Their elector is
 * in test/servers/client-go.ts (Lease) or a sender of heartbeats (NATS).
 */
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { Bus } from '../../src/bus/bus.ts'
import { decodeEvent, encodeEvent, eventData, randomId } from '../../src/core/event.ts'
import { goTimeMs, goTimeString } from '../../src/sources/calendar/go-time.ts'
import { loadZone } from '../../src/sources/calendar/zone.ts'
import { readAll } from '../contract/bus.ts'

const utc = loadZone('UTC')
const nextSecond = () => Math.floor(Date.now() / 1000 + 1) * 1000

/** Ticks at each whole second while `leads()`; each lead begins at its own now, and what it misses is lost. Ends with the test. */
export async function argoCalendar(t: TestContext, url: string, leads: () => boolean): Promise<void> {
  const nc = await connect({ servers: url })
  const js = jetstream(nc)
  let over = false
  const tick = async () => {
    const time = goTimeString(Date.now(), utc, performance.now())
    const id = randomId()
    const data = Buffer.from(JSON.stringify({ eventTime: time }))
    const event = encodeEvent({ id, source: 'clock', type: 'calendar', subject: 'tick', timeMs: Date.now() }, data)
    await js.publish('default.clock.tick', event, { msgID: id })
  }
  const work = async () => {
    while (!over) {
      for (let due = nextSecond(); leads() && !over; due = nextSecond()) {
        while (leads() && Date.now() < due) await pause(Math.min(10, due - Date.now()))
        if (leads()) await tick()
      }
      await pause(10)
    }
  }
  const worked = work()
  t.after(async () => {
    over = true
    await worked.catch(() => {})
    await nc.close()
  })
}

export interface Row {
  ticks: number
  /** Seconds that are there more than once. */
  doubled: number[]
  /** Seconds that are missing, by who ticked next. */
  lost: { ours: number[]; theirs: number[] }
  /** How often the one followed the other. */
  exchanges: number
}

/** The row of ticks, one for each second, whoever ticked. */
export async function rowOf(bus: Pick<Bus, 'read'>): Promise<Row> {
  const all = await readAll(bus, { eventSource: 'clock', entry: 'tick' })
  const ticks = all.map(({ sourceId, event }) => {
    const ours = sourceId !== undefined
    const { eventTime } = JSON.parse(eventData(decodeEvent(event)).toString()) as { eventTime: string }
    const atMs = ours ? Date.parse(sourceId.slice(sourceId.indexOf('/') + 1)) : goTimeMs(eventTime)!
    return { ours, second: Math.floor(atMs / 1000) }
  })
  const row: Row = { ticks: ticks.length, doubled: [], lost: { ours: [], theirs: [] }, exchanges: 0 }
  const seen = new Set<number>()
  let last = ticks[0]
  for (const tick of ticks) {
    if (seen.has(tick.second)) row.doubled.push(tick.second)
    seen.add(tick.second)
    for (let missing = last!.second + 1; missing < tick.second; missing++)
      row.lost[tick.ours ? 'ours' : 'theirs'].push(missing)
    if (tick.ours !== last!.ours) row.exchanges++
    last = tick
  }
  return row
}

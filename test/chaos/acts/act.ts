/** What is done to the world for a fault. Resolves when it is healed, whatever happened meanwhile. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Fault } from '../plan.ts'
import type { Span } from '../spans.ts'
import type { World } from '../world.ts'

export type Act = (world: World, fault: Fault) => Promise<void>

/** What a broker says of its subscribers may be so old, milliseconds. */
const STALE_MS = 5_000

/** A replica, or all, hear nothing while `work` runs, and until all are subscribed again. */
export async function whileDeaf(world: World, replica: number | 'all', work: () => Promise<void>): Promise<void> {
  const deaf = { replica, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY }
  world.deaf.push(deaf)
  try {
    await work()
  } finally {
    void pause(STALE_MS, undefined, { ref: false })
      .then(() => world.everybodyListens())
      .then(() => {
        deaf.toMs = Date.now()
      })
  }
}

/** @param spans where it is remembered that something was away while `work` ran, and a while after */
export async function whileAway(spans: Span[], work: () => Promise<void>, afterMs = 3_000): Promise<void> {
  const span = { fromMs: Date.now() - 500, toMs: Number.POSITIVE_INFINITY }
  spans.push(span)
  try {
    await work()
  } finally {
    span.toMs = Date.now() + afterMs
  }
}

/** `begin`, the fault's time, `heal`. */
export async function lasting({ lastsMs }: Fault, begin: () => unknown, heal: () => unknown): Promise<void> {
  await begin()
  try {
    await pause(lastsMs)
  } finally {
    await heal()
  }
}

/** A server that is not ours did not come back: of such a run nothing can be said. */
export class Ruined extends Error {}

const STARTS = 3

/** @throws Ruined when it does not start, tried again and again */
export async function startedAgain(what: string, start: () => Promise<unknown>): Promise<void> {
  for (let i = 1; ; i++) {
    try {
      await start()
      return
    } catch (error) {
      const { message } = error as Error
      // Servers say what is wrong at the end.
      if (i === STARTS) throw new Ruined(`${what} does not start again: …${message.slice(-600)}`)
    }
  }
}

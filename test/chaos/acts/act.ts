/** What is done to the world for a fault. Resolves when it is healed, whatever happened meanwhile. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Fault } from '../plan.ts'
import type { Span } from '../spans.ts'
import type { World } from '../world.ts'

export type Act = (world: World, fault: Fault) => Promise<void>

/** After its return a replica may need so long to be subscribed again. */
const BACK_MS = 12_000

/** A replica, or all, hear nothing while `work` runs, and a while after. */
export async function whileDeaf(world: World, replica: number | 'all', work: () => Promise<void>): Promise<void> {
  const deaf = { replica, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY }
  world.deaf.push(deaf)
  try {
    await work()
  } finally {
    deaf.toMs = Date.now() + BACK_MS
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

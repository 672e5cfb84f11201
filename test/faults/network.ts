/** The serving replica alone cut off from the bus, by the proxies through which the run reaches it. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { TcpProxy } from '../servers/proxy.ts'
import { assertSameHosts, goesOn, type Load, leadOf } from './load.ts'
import { nextLeader, waitFor } from './rig.ts'

export type Towards = 'dropToServer' | 'dropToClient' | 'refuse'

/** A run that reaches its bus by proxies alone. */
export interface Proxied extends Load {
  readonly proxies: TcpProxy[]
  /** Whose connection it is, for a proxy. */
  markOf(replica: { id: string }): string
}

/** Cuts these replicas off from the bus (a black hole, or resets), and joins them again. */
export function partition({ proxies, markOf }: Proxied, replicas: { id: string }[], how: Towards[]) {
  const marks = replicas.map(markOf)
  const set = (on: boolean) => {
    for (const proxy of proxies)
      for (const mark of marks) Object.assign(proxy.faultsOf(mark), Object.fromEntries(how.map((one) => [one, on])))
  }
  set(true)
  if (how.includes('refuse')) for (const proxy of proxies) for (const mark of marks) proxy.cut(mark)
  return { heal: () => set(false) }
}

/**
 * Another takes over; joined again, the one that was cut off stands by in the same process.
 * @param takeoverMs within which another serves. @returns how long it took, in words
 */
export async function leaderCutOff(
  world: Proxied,
  how: Towards[],
  lastsMs: number,
  takeoverMs = 10_000,
): Promise<string> {
  const { rig } = world
  const hosts = await rig.hostPids()
  const old = await world.leader()
  const { heal } = partition(world, [old], how)
  const cutMs = performance.now()
  const next = await nextLeader(rig, 'clock', old, takeoverMs)
  const takenMs = performance.now() - cutMs
  assert.notEqual(next.id, old.id)
  await goesOn(world)
  await pause(Math.max(0, lastsMs - takenMs))
  heal()
  await waitFor(async () => {
    const clock = (await rig.status()).eventSources.find(({ name }) => name === 'clock')!
    return clock.replicas.find(({ id }) => id === old.id)?.state === 'standby'
  }, 20_000)
  await pause(1_000)
  await assertSameHosts(world, hosts)
  assert.equal(await leadOf(world), next.id, 'the lead stays where it is when the old leader is back')
  return `another served after ${takenMs.toFixed(0)} ms`
}

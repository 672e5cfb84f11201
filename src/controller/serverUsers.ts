/** Which users a nats-server of a native bus knows, as its monitoring port tells. */
import type { Clock } from '../core/clock.ts'
import { revisionIn } from './eventBus/users.ts'
import { askMonitor } from './monitor.ts'

/** @returns the revision of the `auth.conf` that the server has read; a text: why it cannot be asked. Never throws */
export type ReadUsers = (podIp: string) => Promise<number | string>

export function readUsers(clock: Clock, port?: number): ReadUsers {
  const ask = askMonitor(clock, port)
  return (podIp) => ask(podIp, '/accountz', revisionIn)
}

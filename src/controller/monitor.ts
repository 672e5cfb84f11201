/** Asks the monitoring port of a nats-server of a native bus (docs.nats.io/running-a-nats-service/nats_admin/monitoring). */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'

const MONITOR_PORT = 8222
const PATIENCE_MS = 2_000

/** @returns what the JSON at `path` means; a text: why it cannot be asked. Never throws */
export function askMonitor(clock: Clock, port = MONITOR_PORT) {
  return async <T>(podIp: string, path: string, meaning: (answer: unknown) => T): Promise<T | string> => {
    const patience = new AbortController()
    const cancel = clock.after(PATIENCE_MS, () => patience.abort(new Error(`no answer within ${PATIENCE_MS} ms`)))
    const host = podIp.includes(':') ? `[${podIp}]` : podIp
    try {
      const answer = await fetch(`http://${host}:${port}${path}`, { signal: patience.signal })
      return answer.ok ? meaning(await answer.json()) : `its monitoring port answers ${answer.status}`
    } catch (error) {
      const { cause } = error as { cause?: unknown }
      return `its monitoring port ${port} cannot be read: ${messageOf(cause ?? error)}`
    } finally {
      cancel()
    }
  }
}

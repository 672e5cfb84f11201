/** The last hundred changes of leader, kept on the bus so that they survive the run. */
import type { KeyValue } from '../bus/bus.ts'
import type { Logger } from '../core/log.ts'
import type { Failover } from '../runtime/report.ts'

const KEY = 'failovers'
const KEPT = 100

export interface FailoverLog {
  add(failover: Failover): void
  /** Oldest first. */
  all(): Failover[]
  /** Resolves when what was added is on the bus, or could not be put there. */
  settled(): Promise<void>
}

export async function openFailoverLog(kv: KeyValue, log: Logger): Promise<FailoverLog> {
  let kept = parse((await kv.get(KEY))?.value)
  let writing: Promise<void> = Promise.resolve()
  let dirty = false
  return {
    add(failover) {
      kept = [...kept, failover].slice(-KEPT)
      if (dirty) return
      dirty = true
      writing = writing.then(async () => {
        dirty = false
        await kv.put(KEY, Buffer.from(JSON.stringify(kept))).then(
          () => {},
          (error: unknown) => log.debug('the list of failovers could not be written', { error }),
        )
      })
    },
    all: () => kept,
    settled: () => writing,
  }
}

function parse(value: Uint8Array | undefined): Failover[] {
  if (value === undefined) return []
  try {
    const list = JSON.parse(Buffer.from(value).toString('utf8')) as unknown
    return Array.isArray(list) ? (list as Failover[]).slice(-KEPT) : []
  } catch {
    return []
  }
}

/** The last hundred changes of leader, kept on the bus so that they survive the run. */
import type { KeyValue } from '../bus/bus.ts'
import { isVedetteError } from '../core/errors.ts'
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
  let kept: Failover[] = []
  let read = false
  /** A bus that cannot be reached yet must not keep a run from starting, nor lose what it holds. */
  const load = async () => {
    if (read) return
    const before = parse((await kv.get(KEY))?.value)
    read = true
    kept = [...before, ...kept].slice(-KEPT)
  }
  await load().catch((error: unknown) => {
    if (!isVedetteError(error) || error.class !== 'transient') throw error
    log.warn('the list of failovers cannot be read yet', { error })
  })
  let writing: Promise<void> = Promise.resolve()
  let dirty = false
  return {
    add(failover) {
      kept = [...kept, failover].slice(-KEPT)
      if (dirty) return
      dirty = true
      writing = writing.then(async () => {
        dirty = false
        await load()
          .then(() => kv.put(KEY, Buffer.from(JSON.stringify(kept))))
          .catch((error: unknown) => log.debug('the list of failovers could not be written', { error }))
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
    const found = Array.isArray(list) ? list.filter((one) => typeof one === 'object' && one !== null) : []
    return (found as Failover[]).slice(-KEPT)
  } catch {
    return []
  }
}

/** Reading the store while no bus process runs (`vedette tail`). */
import { systemClock } from '../../core/clock.ts'
import { fail, isVedetteError } from '../../core/errors.ts'
import type { Bus } from '../bus.ts'
import { checkInChild } from './check.ts'
import { REPAIR_HINT } from './encoding.ts'
import { busOver } from './face.ts'
import { inspectHeader } from './header.ts'
import { openEnvironment } from './lmdb.ts'
import { isWrite, perform } from './request.ts'
import { checkFormat } from './store.ts'

/**
 * @param dir the store's directory
 * @throws NOT_RUNNING there is no store; STORE_CORRUPT; STORE_TOO_NEW
 */
export async function openStoreReadOnly(dir: string): Promise<Pick<Bus, 'read' | 'tail' | 'state' | 'close'>> {
  const header = inspectHeader(dir)
  if (header.state === 'missing') throw fail('NOT_RUNNING', `there is no store in ${dir}: nothing was run there`)
  let why = header.state === 'bad' ? header.why : undefined
  if (header.state === 'suspicious') why = (await checkInChild(dir)).problems[0]
  if (why !== undefined) throw fail('STORE_CORRUPT', `the store in ${dir} is damaged: ${why}; ${REPAIR_HINT}`)
  const environment = openEnvironment(dir, { readOnly: true, mapBytes: 1 << 30 })
  if (environment.tables.meta.get('format') !== 0) checkFormat(environment.tables, dir)
  const at = { nowMs: 0, incarnation: environment.tables.meta.get('incarnation'), dedupMs: 0 }
  return busOver(
    'embedded',
    {
      async call(operation, input) {
        if (isWrite(operation)) throw fail('BUS_UNAVAILABLE', 'the store is open for reading only')
        return perform(environment.tables, at, operation, input)
      },
      status: () => ({ connected: true }),
      onStatus: () => () => {},
      onPush: () => () => {},
      close: () =>
        environment.close().catch((error: unknown) => {
          if (isVedetteError(error)) throw error
        }),
    },
    { clock: systemClock, maxEventBytes: 0 },
  )
}

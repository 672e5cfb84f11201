/** The lock port on the embedded bus (and its memory twin): the record lies in the bus's store, changes are pushed. */
import type { LeaseBus } from '../../bus/embedded/face.ts'
import { fail, isVedetteError } from '../../core/errors.ts'
import type { Lease, Lock } from '../lock.ts'

/** @param name `<namespace>/<eventsource>`, which is where `claim` looks for its lease */
export function embeddedLock(client: Pick<LeaseBus, 'readLease' | 'writeLease' | 'onLease'>, name: string): Lock {
  return {
    onBus: true,
    read: () => client.readLease(name).catch(asLockError),
    write: (record, expected) => client.writeLease(name, record, expected).catch(asLockError),
    onChange: (listener) => client.onLease((changed) => (changed === null || changed === name) && listener()),
  }
}

function asLockError(error: unknown): Promise<Lease | null> {
  if (isVedetteError(error, 'OUTCOME_UNKNOWN')) throw error
  if (isVedetteError(error)) throw fail('LOCK_UNAVAILABLE', error.message, { ...error.details }, { cause: error })
  throw error
}

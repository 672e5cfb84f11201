/** The lock port on the memory twin of the bus. */
import type { MemoryBus } from '../../bus/memory.ts'
import type { Lock } from '../lock.ts'
import { embeddedLock } from './embedded.ts'

/** @param name `<namespace>/<eventsource>` */
export function memoryLock(bus: MemoryBus, name: string): Lock {
  return embeddedLock(bus, name)
}

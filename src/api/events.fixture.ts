/** For tests of this room: a bus with events on it. */
import { type MemoryBus, memoryBus } from '../bus/memory.ts'
import { encodeEvent } from '../core/event.ts'

export async function put(bus: MemoryBus, from: number, to: number, source = 's', entry = 'e'): Promise<void> {
  for (let i = from; i <= to; i++) {
    const id = `${source}-${entry}-${i}`
    const event = encodeEvent(
      { id, source, type: 'webhook', subject: entry, timeMs: 1_700_000_000_000 },
      Buffer.from(`{"n":${i}}`),
    )
    await bus.append({ namespace: 'default', name: source }, [{ entry, id, event }])
  }
}

export async function busWith(count: number): Promise<MemoryBus> {
  const bus = memoryBus()
  await put(bus, 1, count)
  return bus
}

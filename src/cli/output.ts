import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { systemClock } from '../core/clock.ts'

export interface Output {
  /** Resolves when more may be written. What is written is on its way within a moment. */
  write(text: string): Promise<void>
  /** Resolves when everything has been handed to the system. */
  flush(): Promise<void>
}

const CHUNK = 64 * 1024

/** Gathers small writes: a call to the system per line would be most of the work. */
export function createOutput(stream: Writable): Output {
  let gathered = ''
  let due = false
  const send = (): boolean => {
    due = false
    const text = gathered
    gathered = ''
    return text === '' || stream.write(text)
  }
  return {
    async write(text) {
      gathered += text
      if (gathered.length >= CHUNK) {
        if (!send()) await once(stream, 'drain')
      } else if (!due) {
        due = true
        systemClock.soon(() => due && send())
      }
    },
    async flush() {
      send()
      if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write('', () => resolve()))
    },
  }
}

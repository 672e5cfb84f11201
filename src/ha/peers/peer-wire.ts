/**
 * What goes over a peer link: short lines of ASCII text. Each side proves that it has read the Lease (whose annotation holds the key)
 * before it is believed anything:
 *
 *     holder  → hello NONCE
 *     standby → standby NONCE PROOF
 *     holder  → holder PROOF
 *     standby → ping          holder → pong | changed
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'

/** @param nonces of the holder, then of the standby */
export function proofOf(key: string, role: 'holder' | 'standby', lease: string, nonces: [string, string]): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([role, lease, ...nonces]))
    .digest('hex')
}

export function proves(given: string | undefined, wanted: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}

const LONGEST_LINE = 256

/** Calls back with the words of each line; a line that is too long ends the connection. */
export function onWords(socket: Socket, take: (words: string[]) => void): void {
  let rest = ''
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    rest += text
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LONGEST_LINE || lines.some((line) => line.length > LONGEST_LINE)) {
      socket.destroy()
      return
    }
    for (const line of lines) if (!socket.destroyed) take(line.trim().split(' '))
  })
}

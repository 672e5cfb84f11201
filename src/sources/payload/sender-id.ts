/** Ids that senders choose for their messages. */
import { hash } from 'node:crypto'

/** What tells senders apart that may choose the same id, by what it is called. What is empty or undefined does not count. */
export type From = Readonly<Record<string, string | undefined>>

/**
 * What makes a sender's repeat the same event: its key together with a digest of what was sent, where, and by whom, so that a key used
 * again for something else, or by somebody else, is another event. The id also travels in a header of the bus: bounded, and plain ASCII.
 */
export function senderKey(key: string, sent: string | Uint8Array, from: From = {}): string {
  const known = Object.entries(from).filter(([, value]) => value)
  const all = known.length === 0 ? sent : `${JSON.stringify(Object.fromEntries(known))}\n${hash('sha256', sent)}`
  const digest = hash('sha256', all).slice(0, 32)
  return `${/^[\x21-\x7e]{1,128}$/.test(key) ? key : hash('sha256', key)}:${digest}`
}

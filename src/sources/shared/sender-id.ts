/** Ids that senders choose for their messages. */
import { hash } from 'node:crypto'

/**
 * What makes a sender's repeat the same event: its key together with a digest of what was sent and where, so that a key used
 * again for something else is another event. The id also travels in a header of the bus: bounded, and plain ASCII.
 */
export function senderKey(key: string, sent: Uint8Array): string {
  const digest = hash('sha256', sent).slice(0, 32)
  return `${/^[\x21-\x7e]{1,128}$/.test(key) ? key : hash('sha256', key)}:${digest}`
}

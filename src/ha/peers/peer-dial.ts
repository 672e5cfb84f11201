/** The standby's side of one peer link: connected again whenever it is lost, until closed. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import type { PeerAddress } from '../locks/kubernetes-lease.ts'
import { onWords, proofOf, proves } from './peer-wire.ts'

export interface Dialled {
  /** The holder has proved itself on the connection that there is now. */
  readonly linked: boolean
  close(): void
}

/** For connecting and for the proof. */
const HANDSHAKE_MS = 2_000
const PING_MS = 2_000
/** Without an answer the connection may be none any more (half-open): it is made anew, which finds out. */
const SILENT_MS = 6_000
/** A refusal proves a death only right after a proven link was lost: later, a firewall may be what refuses. */
const WINDOW_MS = 2_000

export function dialPeer({
  peer,
  lease,
  clock,
  onWord,
  onLink,
  onGone,
}: {
  peer: PeerAddress
  /** `<namespace>/<lease name>` */
  lease: string
  clock: Clock
  /** The Lease has changed, says the holder, or may have. */
  onWord: () => void
  /** There is a link now, or there is none and cannot be at present. */
  onLink?: (linked: boolean) => void
  /** The holder's process is known to be dead. */
  onGone: () => void
}): Dialled {
  let socket: Socket | null = null
  let linked = false
  let lostAt = Number.NEGATIVE_INFINITY
  let attempt = 0
  let closed = false
  let cancelTimer = () => {}
  let cancelPing = () => {}

  const dial = (): void => {
    const nonce = randomBytes(16).toString('hex')
    const mine = connect({ host: peer.host, port: peer.port, noDelay: true })
    socket = mine
    let refused = false
    let greeted = ''
    let heardAt = clock.monotonic()
    cancelTimer = clock.after(HANDSHAKE_MS, () => mine.destroy())
    onWords(mine, ([word, first]) => {
      heardAt = clock.monotonic()
      if (linked) {
        if (word === 'changed') onWord()
      } else if (word === 'hello' && greeted === '' && first !== undefined) {
        greeted = first
        mine.write(`standby ${nonce} ${proofOf(peer.key, 'standby', lease, [first, nonce])}\n`)
      } else if (word === 'holder' && proves(first, proofOf(peer.key, 'holder', lease, [greeted, nonce]))) {
        cancelTimer()
        linked = true
        attempt = 0
        onLink?.(true)
        // It may have changed before there was anybody to tell.
        onWord()
        ping()
      } else mine.destroy()
    })
    const ping = () => {
      if (clock.monotonic() - heardAt > SILENT_MS) mine.destroy()
      else {
        mine.write('ping\n')
        cancelPing = clock.after(PING_MS, ping)
      }
    }
    mine.on('error', (error) => {
      refused = (error as { code?: string }).code === 'ECONNREFUSED'
    })
    mine.on('close', () => {
      cancelTimer()
      cancelPing()
      if (closed) return
      const now = clock.monotonic()
      if (linked) {
        linked = false
        lostAt = now
        dial()
        return
      }
      if (refused && now - lostAt <= WINDOW_MS) {
        lostAt = Number.NEGATIVE_INFINITY
        onGone()
      } else if (attempt === 1) onLink?.(false)
      if (!closed) cancelTimer = clock.after(backoffMs(attempt++, { firstMs: 50, maxMs: 2_000 }), dial)
    })
  }
  dial()

  return {
    get linked() {
      return linked
    },
    close() {
      closed = true
      cancelTimer()
      cancelPing()
      socket?.destroy()
    },
  }
}

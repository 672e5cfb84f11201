/** Reading request bodies within the route's limit and the process's memory. */
import { IncomingMessage } from 'node:http'
import type { Clock } from '../../core/clock.ts'
import type { Claim, Dropped } from './ledger.ts'

/** A body, or why there is none: over the limit, dropped, or the sender went away. */
export type Body = Buffer | 'too large' | Dropped | 'gone'

const nothing = Buffer.alloc(0)

/** Reads the whole body. Never rejects; what it holds is in the claim. */
export function readBody(incoming: IncomingMessage, limit: number, claim: Claim, clock: Clock): Promise<Body> | Body {
  const { 'content-length': announced, 'transfer-encoding': coding } = incoming.headers
  if (coding === undefined && (announced === undefined || announced === '0')) return nothing
  // Memory is taken as it fills: a sender that announces much and sends nothing takes nothing from others.
  return new Promise((resolve) => {
    const whole = Number(announced ?? -1)
    let body: Buffer | null = null
    let pieces: Pieces | null = null
    let length = 0
    let settled = false
    const settle = (result: Body) => {
      if (settled) return
      settled = true
      claim.onDrop = ignore
      resolve(result)
    }
    const take = (chunk: Buffer) => {
      if (settled) return
      if (length + chunk.length > limit) return settle('too large')
      length += chunk.length
      if (length === whole && pieces === null) body = chunk
      else {
        pieces ??= createPieces()
        pieces.add(chunk)
      }
      claim.grow(chunk.length)
      if (chunk.length >= LARGE && length !== whole) giveWay()
    }
    const giveWay = () => {
      incoming.pause()
      clock.soon(() => incoming.resume())
    }
    claim.onDrop = settle
    // They go with the request: to take each of them off again costs more than all else here.
    incoming
      .on('data', take)
      .on('end', () => settle(body ?? pieces?.whole(length) ?? nothing))
      .on('close', () => settle('gone'))
      // Without a listener a reset connection would be an uncaught error.
      .on('error', ignore)
  })
}

const ignore = () => {}

/** From so many chunks on they must have so many bytes on average. */
const MANY_CHUNKS = 256
const LEAST_CHUNK = 32

/**
 * Stops a body that comes in chunks of which each costs far more than it brings. To be called as soon as the headers are there: a packet
 * may hold ten thousand chunks, and all of them are parsed before anybody reads the first.
 */
export function boundChunks(incoming: IncomingMessage, claim: Claim): void {
  if (incoming.headers['transfer-encoding'] === undefined) return
  let chunks = 0
  let length = 0
  incoming.push = (chunk: Buffer | null) => {
    length += chunk?.length ?? 0
    if (++chunks <= MANY_CHUNKS || length >= chunks * LEAST_CHUNK) return push.call(incoming, chunk)
    incoming.socket.pause()
    claim.drop('too many chunks')
    return false
  }
}
const { push } = IncomingMessage.prototype

/** After such a chunk others have their turn: else one turn of the loop reads megabytes of each connection. */
const LARGE = 16_384

/** Smaller chunks are put together as they come: each would cost far more than its bytes. */
const SMALL = 4096
const LEAST_TAIL = 512
const MOST_TAIL = 16_384

interface Pieces {
  add(chunk: Buffer): void
  whole(length: number): Buffer
}

function createPieces(): Pieces {
  const pieces: Buffer[] = []
  let tail: Buffer | null = null
  let filled = 0
  let size = LEAST_TAIL
  const flush = () => {
    if (tail !== null && filled > 0) pieces.push(filled === tail.length ? tail : Buffer.from(tail.subarray(0, filled)))
    tail = null
    filled = 0
  }
  return {
    add(chunk) {
      if (chunk.length >= SMALL) {
        flush()
        pieces.push(chunk)
        return
      }
      if (tail !== null && filled + chunk.length > tail.length) {
        flush()
        size = Math.min(MOST_TAIL, size * 2)
      }
      tail ??= Buffer.allocUnsafeSlow(Math.max(size, chunk.length))
      filled += chunk.copy(tail, filled)
    },
    whole(length) {
      flush()
      return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length)
    },
  }
}

/** Reading request bodies within the route's limit and the process's memory. */
import type { IncomingMessage } from 'node:http'

/** Bytes of bodies that this process holds. */
export interface Budget {
  /** False when it is used up. @param held what the taker has already; one that is alone always gets more */
  take(bytes: number, held: number): boolean
  give(bytes: number): void
}

export function createBudget(maxBytes: number): Budget {
  let used = 0
  return {
    take(bytes, held) {
      if (used > held && used + bytes > maxBytes) return false
      used += bytes
      return true
    },
    give(bytes) {
      used -= bytes
    },
  }
}

/** A body, or why there is none: over the limit, no memory left, or the sender went away. */
export type Body = { bytes: Buffer; release: () => void } | 'too large' | 'no room' | 'gone'

const nothing = { bytes: Buffer.alloc(0), release: () => {} }

/** Reads the whole body. Never rejects; what it took from the budget is held until `release`. */
export function readBody(incoming: IncomingMessage, limit: number, budget: Budget): Promise<Body> | Body {
  const { 'content-length': announced, 'transfer-encoding': coding } = incoming.headers
  if (coding === undefined && (announced === undefined || announced === '0')) return nothing
  // Memory is taken as it fills: a sender that announces much and sends nothing takes nothing from others.
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    const settle = (result: Body) => {
      incoming.off('data', take).off('end', end).off('close', gone)
      if (typeof result === 'string') budget.give(length)
      resolve(result)
    }
    const take = (chunk: Buffer) => {
      if (length + chunk.length > limit) return settle('too large')
      if (!budget.take(chunk.length, length)) return settle('no room')
      length += chunk.length
      chunks.push(chunk)
    }
    const end = () => {
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)
      settle({ bytes, release: () => budget.give(length) })
    }
    const gone = () => settle('gone')
    incoming.on('data', take).on('end', end).on('close', gone)
    // Without a listener a reset connection would be an uncaught error.
    incoming.on('error', () => {})
  })
}

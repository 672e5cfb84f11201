/**
 * The wire between bus process and clients: frames of 4 bytes length (big endian) and a msgpack value.
 * Client → server: `[id, operation, input]`, first of all `[0, 'hello', Hello]`. Server → client: `[id, result]`,
 * `[id, null, {code, message}]`, `[0, Push]`.
 */
import { Packr } from 'msgpackr'
import { fail } from '../../core/errors.ts'

export const PROTOCOL = 1
export const MAX_FRAME_BYTES = 32 << 20

export interface Hello {
  protocol: number
  /** Names the client's process, for the log. */
  session: string
  incarnation: number
}

export interface Welcome {
  /** The bus's present incarnation. */
  incarnation: number
  maxEventBytes: number
}

/** One of each per connection side would do as well: plain msgpack has no state. */
const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: false })

export function encodeFrame(value: unknown): Buffer {
  const body = packr.pack(value)
  const frame = Buffer.allocUnsafe(4 + body.byteLength)
  frame.writeUInt32BE(body.byteLength, 0)
  frame.set(body, 4)
  return frame
}

/**
 * Cuts a stream into frames. Feed it chunks as they come.
 * @returns the function to feed, which throws BUG when what comes is not ours: close the connection then
 */
export function frameReader(onFrame: (value: unknown, bytes: number) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let held = 0
  /** Bytes needed before looking again. */
  let wanted = 4
  return (chunk) => {
    parts.push(chunk)
    held += chunk.byteLength
    if (held < wanted) return
    const bytes = parts.length === 1 ? chunk : Buffer.concat(parts, held)
    let at = 0
    wanted = 4
    while (bytes.byteLength - at >= 4) {
      const length = bytes.readUInt32BE(at)
      if (length === 0 || length > MAX_FRAME_BYTES)
        throw fail('BUG', `a frame of ${length} bytes is not of this protocol`)
      if (bytes.byteLength - at - 4 < length) {
        wanted = 4 + length
        break
      }
      const body = bytes.subarray(at + 4, at + 4 + length)
      at += 4 + length
      onFrame(decodeBody(body), length)
    }
    held = bytes.byteLength - at
    parts = held === 0 ? [] : [bytes.subarray(at)]
  }
}

function decodeBody(body: Buffer): unknown {
  try {
    return packr.unpack(body)
  } catch (error) {
    throw fail('BUG', 'a frame that is not msgpack', {}, { cause: error })
  }
}

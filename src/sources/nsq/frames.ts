/** The frames that an nsqd sends: size, type, data (https://nsq.io/clients/tcp_protocol_spec.html#data-format). */
import type { NsqMessage } from './wire.ts'

export interface FrameHandlers {
  response(data: Buffer): void
  error(text: string): void
  message(message: NsqMessage): void
}

/** Larger frames are hostile: nsqd's own limit of a message is 1 MiB by default. */
const LARGEST_FRAME = 64 << 20
/** Timestamp, attempts and id. */
const MESSAGE_HEAD = 26

/** @returns takes what comes, in any pieces. @throws Error when it is not the protocol */
export function frameReader(handlers: FrameHandlers): (chunk: Buffer) => void {
  let chunks: Buffer[] = []
  let held = 0
  /** Bytes that the frame in progress needs, its size field included. */
  let wanted = 4
  return (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    while (held >= wanted) {
      const data = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      chunks = [data]
      const size = data.readUInt32BE(0)
      if (size < 4 || size > LARGEST_FRAME) throw new Error(`a frame of ${size} bytes: this is not the protocol of NSQ`)
      wanted = 4 + size
      if (held < wanted) return
      const rest = data.subarray(wanted)
      chunks = [rest]
      held = rest.length
      wanted = 4
      handle(data.readInt32BE(4), data.subarray(8, 4 + size), handlers)
    }
  }
}

function handle(type: number, data: Buffer, { response, error, message }: FrameHandlers): void {
  if (type === 0) response(data)
  if (type === 1) error(data.toString('utf8'))
  if (type !== 2) return
  if (data.length < MESSAGE_HEAD) throw new Error(`a message of ${data.length} bytes: this is not the protocol of NSQ`)
  message({
    timestamp: data.readBigInt64BE(0),
    attempts: data.readUInt16BE(8),
    id: data.toString('latin1', 10, MESSAGE_HEAD),
    // A copy: the chunk that it came in may be far larger.
    body: Buffer.from(data.subarray(MESSAGE_HEAD)),
  })
}

/** The frames that an nsqd sends: size, type, data (https://nsq.io/clients/tcp_protocol_spec.html#data-format). */
import { sizedFrames } from '../connections/frames.ts'
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
  return sizedFrames({ protocol: 'NSQ', largest: LARGEST_FRAME }, (frame) =>
    handle(frame.readInt32BE(0), frame.subarray(4), handlers),
  )
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

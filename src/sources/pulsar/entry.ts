/** What a broker sends: frames, and the messages of an entry (https://pulsar.apache.org/docs/develop-binary-protocol/). */
import { sizedFrames } from '../shared/frames.ts'
import type { Codec, Command, MessageId } from './commands.ts'
import { decompress } from './decompress.ts'

/** Larger frames are hostile: a broker's own limit of a message is 5 MiB by default. */
const LARGEST_FRAME = 128 << 20
/** Stands before the checksum of metadata and payload. */
const CHECKSUM_MAGIC = 0x0e01
/** An entry larger than this, uncompressed, is hostile. */
const LARGEST_ENTRY = 128 << 20

export interface Frame {
  command: Command
  /** Metadata and payload; only messages have them. */
  rest: Buffer
}

/** @returns takes what comes, in any pieces. @throws Error when it is not the protocol */
export function frameReader(codec: Codec, handle: (frame: Frame) => void): (chunk: Buffer) => void {
  return sizedFrames({ protocol: 'Pulsar', largest: LARGEST_FRAME }, (frame) => {
    const commandSize = frame.readUInt32BE(0)
    if (commandSize > frame.length - 4)
      throw new Error(`a command of ${commandSize} bytes: this is not the protocol of Pulsar`)
    const command = codec.decode(frame.subarray(4, 4 + commandSize))
    if (command !== null) handle({ command, rest: frame.subarray(4 + commandSize) })
  })
}

export interface PulsarMessage {
  /** Position in its batch. */
  index: number
  key: string
  /** Milliseconds since the epoch. */
  publishTime: number
  body: Uint8Array
}

export interface Entry {
  /** `<ledger>:<entry>`. */
  id: string
  /** For the acknowledgement. */
  messageId: MessageId
  bytes: number
  /** Permits that the broker has used for it. */
  permits: number
  /** Null when they cannot be read, for `reason`. */
  messages: PulsarMessage[] | null
  reason?: Error
}

/** Never throws: what cannot be read says why. */
export function readEntry(
  codec: Codec,
  { messageId, ackSet }: { messageId: MessageId; ackSet?: unknown[] },
  rest: Buffer,
): Entry {
  const head = { id: `${messageId.ledgerId}:${messageId.entryId}`, messageId, bytes: rest.length }
  let permits = 1
  try {
    const { metadata, payload } = splitRest(codec, rest)
    permits = Math.max(1, metadata.batchSize ?? 1)
    if ((metadata.encryption?.length ?? 0) > 0)
      throw new Error('it is encrypted by its producer, and there is no key here')
    if ((metadata.chunks ?? 0) > 1)
      throw new Error(
        `it is a piece of a message in ${metadata.chunks} pieces, which are not put together in this version`,
      )
    const size = metadata.uncompressedSize ?? 0
    if (size > LARGEST_ENTRY) throw new Error(`${size} bytes uncompressed are too many`)
    const bytes = decompress(metadata.compression ?? 0, payload, size)
    const publishTime = Number(metadata.publishTime)
    if (metadata.batchSize === undefined)
      return { ...head, permits, messages: [{ index: 0, key: metadata.key ?? '', publishTime, body: bytes }] }
    const all = batch(codec, bytes, metadata.batchSize).map((one) => ({ ...one, publishTime }))
    const messages = all.filter(({ index }) => !acknowledged(ackSet ?? [], index))
    return { ...head, permits: Math.max(1, messages.length), messages }
  } catch (error) {
    return { ...head, permits, messages: null, reason: error as Error }
  }
}

function splitRest(codec: Codec, rest: Buffer) {
  const from = rest.length >= 2 && rest.readUInt16BE(0) === CHECKSUM_MAGIC ? 6 : 0
  const size = rest.readUInt32BE(from)
  const start = from + 4
  if (size > rest.length - start) throw new Error('its metadata is cut off')
  return { metadata: codec.entryMetadata(rest.subarray(start, start + size)), payload: rest.subarray(start + size) }
}

function batch(codec: Codec, bytes: Uint8Array, count: number): Omit<PulsarMessage, 'publishTime'>[] {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const messages: Omit<PulsarMessage, 'publishTime'>[] = []
  let at = 0
  for (let index = 0; index < count; index++) {
    const start = at + 4 + data.readUInt32BE(at)
    const { key = '', payloadSize = 0 } = codec.singleMetadata(data.subarray(at + 4, start))
    at = start + payloadSize
    if (payloadSize < 0 || at > data.length) throw new Error('its batch is cut off')
    messages.push({ index, key, body: data.subarray(start, at) })
  }
  return messages
}

/** Bits of words of 64; one that is set is still to be acknowledged. */
function acknowledged(ackSet: unknown[], index: number): boolean {
  if (ackSet.length === 0) return false
  const word = ackSet[index >> 6]
  return word === undefined || ((BigInt(String(word)) >> BigInt(index & 63)) & 1n) === 0n
}

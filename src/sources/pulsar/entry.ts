/** What a broker sends: frames, and the messages of an entry (https://pulsar.apache.org/docs/develop-binary-protocol/). */
import { sizedFrames } from '../connections/frames.ts'
import type { Codec, Command, EntryMetadata, MessageId } from './commands.ts'
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
  /** For the acknowledgement; several where a message was sent in chunks. */
  messageIds: MessageId[]
  bytes: number
  /** Permits that the broker has used for it. */
  permits: number
  /** Null when they cannot be read, for `reason`. */
  messages: PulsarMessage[] | null
  reason?: Error
}

/** A part of a message that was too large for one entry of the broker. */
export interface Chunk {
  /** Says which message it is a part of. */
  message: string
  index: number
  /** Chunks of the message. */
  count: number
  /** Bytes of the message. */
  total: number
  payload: Uint8Array
  /** The entry that it came in, for the case that no message can be made of it. */
  entry: Entry
  /** The message whose payload this is, in the place of this entry. Never throws. */
  whole(payload: Uint8Array): Entry
}

/** Never throws: what cannot be read says why. */
export function readEntry(
  codec: Codec,
  { messageId, ackSet }: { messageId: MessageId; ackSet?: unknown[] },
  rest: Buffer,
): Entry | Chunk {
  const entry: Entry = {
    id: `${messageId.ledgerId}:${messageId.entryId}`,
    messageIds: [messageId],
    bytes: rest.length,
    permits: 1,
    messages: null,
  }
  const readable = (read: () => PulsarMessage[]): Entry => {
    try {
      return { ...entry, messages: read() }
    } catch (error) {
      return { ...entry, reason: error as Error }
    }
  }
  let parts: { metadata: EntryMetadata; payload: Buffer }
  try {
    parts = splitRest(codec, rest)
  } catch (error) {
    return { ...entry, reason: error as Error }
  }
  const { metadata, payload } = parts
  const { uuid, chunkCount = 1, chunkBytes = 0, chunkId = 0, publishTime } = metadata
  if (chunkCount > 1 && uuid !== undefined)
    return {
      // A producer that is started again counts anew, so the time is part of it.
      message: `${uuid} ${publishTime} ${chunkCount} ${chunkBytes}`,
      index: chunkId,
      count: chunkCount,
      total: chunkBytes,
      payload,
      entry,
      whole: (all) => readable(() => messagesOf(codec, metadata, all, [])),
    }
  entry.permits = Math.max(1, metadata.batchSize ?? 1)
  const read = readable(() => messagesOf(codec, metadata, payload, ackSet ?? []))
  return { ...read, permits: Math.max(1, read.messages?.length ?? entry.permits) }
}

/** @param ackSet bits of a batch @throws Error when they cannot be read */
function messagesOf(codec: Codec, metadata: EntryMetadata, payload: Uint8Array, ackSet: unknown[]): PulsarMessage[] {
  if ((metadata.encryption?.length ?? 0) > 0)
    throw new Error('it is encrypted by its producer, and there is no key here')
  const size = metadata.uncompressedSize ?? 0
  if (size > LARGEST_ENTRY) throw new Error(`${size} bytes uncompressed are too many`)
  const body = decompress(metadata.compression ?? 0, payload, size)
  const publishTime = Number(metadata.publishTime)
  if (metadata.batchSize === undefined) return [{ index: 0, key: metadata.key ?? '', publishTime, body }]
  const all = batch(codec, body, metadata.batchSize).map((one) => ({ ...one, publishTime }))
  return all.filter(({ index }) => !acknowledged(ackSet, index))
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

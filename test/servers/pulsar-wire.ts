/** A producer that writes the fields of the wire itself, so that a test decides which chunk comes when, how often and from whom. */
import { connect } from 'node:net'
import protobuf from 'protobufjs/light.js'

/** Of PulsarApi.proto: what a producer needs. */
const shapes = {
  Connect: { fields: { clientVersion: field('string', 1), protocol: field('int32', 4) } },
  Producer: {
    fields: {
      topic: field('string', 1),
      producerId: field('uint64', 2),
      requestId: field('uint64', 3),
      producerName: field('string', 4),
    },
  },
  Send: { fields: { producerId: field('uint64', 1), sequenceId: field('uint64', 2), isChunk: field('bool', 7) } },
  Receipt: { fields: { sequenceId: field('uint64', 2) } },
  Failure: { fields: { message: field('string', 3) } },
  Empty: { fields: {} },
  Command: {
    fields: {
      type: field('int32', 1),
      connect: field('Connect', 2),
      connected: field('Empty', 3),
      producer: field('Producer', 5),
      send: field('Send', 6),
      receipt: field('Receipt', 7),
      error: field('Failure', 14),
      produced: field('Empty', 17),
      ping: field('Empty', 18),
      pong: field('Empty', 19),
    },
  },
  Metadata: {
    fields: {
      producerName: field('string', 1),
      sequenceId: field('uint64', 2),
      publishTime: field('uint64', 3),
      key: field('string', 6),
      compression: field('int32', 8),
      uncompressedSize: field('uint32', 9),
      uuid: field('string', 26),
      chunkCount: field('int32', 27),
      chunkBytes: field('int32', 28),
      chunkId: field('int32', 29),
    },
  },
}
const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(Object.entries(shapes).map(([name, one]) => [name, { edition: 'proto2', ...one }])),
})
const command = root.lookupType('Command')
const metadata = root.lookupType('Metadata')

function field(type: string, id: number) {
  return { type, id }
}

/** The fields of an entry; those of {@link chunksOf} can be changed. */
export interface WireEntry {
  metadata: {
    sequenceId: number
    publishTime: number
    key?: string
    compression?: number
    uncompressedSize?: number
    uuid?: string
    chunkCount?: number
    chunkBytes?: number
    chunkId?: number
  }
  payload: Uint8Array
}

export interface WireProducer {
  /** Resolves when the broker has them. @throws when it refuses, or the connection is lost */
  send(...entries: WireEntry[]): Promise<void>
  close(): void
}

/** A message in chunks, as Pulsar's clients send it. @param payload compressed already, where `more` says so */
export function chunksOf(
  payload: Uint8Array | string,
  count: number,
  sequenceId: number,
  more: { key?: string; compression?: number; uncompressedSize?: number; uuid?: string; publishTime?: number } = {},
): WireEntry[] {
  const bytes = Buffer.from(payload)
  const size = Math.ceil(bytes.length / count)
  const publishTime = Date.now()
  return Array.from({ length: count }, (_, chunkId) => ({
    metadata: {
      sequenceId,
      publishTime,
      uuid: `someone-${sequenceId}`,
      ...more,
      chunkCount: count,
      chunkBytes: bytes.length,
      chunkId,
    },
    payload: bytes.subarray(chunkId * size, (chunkId + 1) * size),
  }))
}

/** @param url of the broker that has the topic, `pulsar://127.0.0.1:6650` @param topic in full */
export async function wireProducer(url: string, topic: string, producerName: string): Promise<WireProducer> {
  const { hostname: host, port } = new URL(url.replace(/^pulsar/, 'http'))
  const socket = connect({ host, port: Number(port), noDelay: true })
  const waiting: PromiseWithResolvers<void>[] = []
  let closed: Error | null = null
  const end = (error: Error) => {
    closed ??= error
    for (const one of waiting.splice(0)) one.reject(error)
    socket.destroy()
  }
  const write = (type: number, body: object, rest = Buffer.alloc(0)): Promise<void> => {
    if (closed !== null) return Promise.reject(closed)
    const encoded = command.encode({ type, ...body }).finish()
    const head = Buffer.alloc(8)
    head.writeUInt32BE(4 + encoded.length + rest.length, 0)
    head.writeUInt32BE(encoded.length, 4)
    socket.write(Buffer.concat([head, encoded, rest]))
    const answer = Promise.withResolvers<void>()
    // The broker answers in order.
    if (type !== PONG) waiting.push(answer)
    return answer.promise
  }
  let held = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
      const size = held.readUInt32BE(4)
      const answer = command.decode(held.subarray(8, 8 + size)) as unknown as {
        type: number
        error?: { message: string }
      }
      held = held.subarray(4 + held.readUInt32BE(0))
      if (answer.type === PING) void write(PONG, { pong: {} })
      else if (ANSWERS.has(answer.type)) waiting.shift()?.resolve()
      else end(new Error(answer.error?.message ?? `command ${answer.type}`))
    }
  })
  socket.on('error', end)
  socket.on('close', () => end(new Error('the broker has closed the connection')))
  await write(2, { connect: { clientVersion: 'test', protocol: 19 } })
  await write(5, { producer: { topic, producerId: 0, requestId: 1, producerName } })
  return {
    async send(...entries) {
      await Promise.all(
        entries.map(({ metadata: fields, payload }) => {
          const encoded = metadata.encode({ producerName, ...fields }).finish()
          const size = Buffer.alloc(4)
          size.writeUInt32BE(encoded.length)
          const send = { producerId: 0, sequenceId: fields.sequenceId, isChunk: fields.chunkCount !== undefined }
          return write(6, { send }, Buffer.concat([size, encoded, payload]))
        }),
      )
    },
    close: () => socket.end(),
  }
}

const PING = 18
const PONG = 19
/** Connected, a receipt, a producer. */
const ANSWERS = new Set([3, 7, 17])

/** The commands of Pulsar's binary protocol, as far as a consumer needs them (pulsar-common/src/main/proto/PulsarApi.proto). */

/** Message ids and counts of 64 bits; printed by `String()`, and given back as they came. */
type Wide = number | { toString(): string }

export interface MessageId {
  ledgerId: Wide
  entryId: Wide
  partition?: number
}

export interface Commands {
  connect: { clientVersion: string; authMethod?: string; authData?: Uint8Array; protocol: number; proxyTo?: string }
  connected: { maxMessageSize?: number }
  subscribe: {
    topic: string
    subscription: string
    /** 0 exclusive, 1 shared. */
    subType: number
    consumerId: number
    requestId: number
    consumerName: string
    /** 0 latest, 1 earliest; of a subscription that is not there yet. */
    initialPosition: number
  }
  message: { consumerId: Wide; messageId?: MessageId; ackSet?: Wide[] }
  ack: { consumerId: number; ackType: number; messageId: MessageId[] }
  flow: { consumerId: number; permits: number }
  unsubscribe: { consumerId: number; requestId: number }
  success: { requestId: Wide }
  error: { requestId: Wide; error: number; message: string }
  closeConsumer: { consumerId: Wide; requestId: Wide }
  ping: Record<string, never>
  pong: Record<string, never>
  partitions: { topic: string; requestId: number }
  /** `response`: 0 success, 1 failed. */
  partitionsAnswer: { partitions?: number; requestId: Wide; response?: number; error?: number; message?: string }
  lookup: { topic: string; requestId: number; authoritative: boolean }
  lookupAnswer: {
    url?: string
    urlTls?: string
    /** 0 redirect, 1 connect, 2 failed. */
    response?: number
    requestId: Wide
    authoritative?: boolean
    error?: number
    message?: string
    proxied?: boolean
  }
}
export type CommandName = keyof Commands
export type Command = { [Name in CommandName]: { name: Name; body: Commands[Name] } }[CommandName]

export interface EntryMetadata {
  publishTime: Wide
  key?: string
  /** 0 none, 1 LZ4, 2 ZLIB, 3 ZSTD, 4 SNAPPY. */
  compression?: number
  uncompressedSize?: number
  /** Absent: the entry is one message, without a head of its own. */
  batchSize?: number
  encryption?: { key: string }[]
  /** Of a message that its producer has sent in chunks. */
  uuid?: string
  chunkCount?: number
  /** Bytes of all its chunks. */
  chunkBytes?: number
  chunkId?: number
}

export interface SingleMetadata {
  key?: string
  payloadSize: number
}

/** Name of each field, its type and its number; `*` for many. */
type Shape = Record<string, [type: string, id: number]>

/** A command's type has the number of its field. */
const commands: Record<CommandName, [id: number, shape: Shape]> = {
  connect: [
    2,
    {
      clientVersion: ['string', 1],
      authData: ['bytes', 3],
      protocol: ['int32', 4],
      authMethod: ['string', 5],
      proxyTo: ['string', 6],
    },
  ],
  connected: [3, { maxMessageSize: ['int32', 3] }],
  subscribe: [
    4,
    {
      topic: ['string', 1],
      subscription: ['string', 2],
      subType: ['int32', 3],
      consumerId: ['uint64', 4],
      requestId: ['uint64', 5],
      consumerName: ['string', 6],
      initialPosition: ['int32', 13],
    },
  ],
  message: [9, { consumerId: ['uint64', 1], messageId: ['MessageId', 2], ackSet: ['int64*', 4] }],
  ack: [10, { consumerId: ['uint64', 1], ackType: ['int32', 2], messageId: ['MessageId*', 3] }],
  flow: [11, { consumerId: ['uint64', 1], permits: ['uint32', 2] }],
  unsubscribe: [12, { consumerId: ['uint64', 1], requestId: ['uint64', 2] }],
  success: [13, { requestId: ['uint64', 1] }],
  error: [14, { requestId: ['uint64', 1], error: ['int32', 2], message: ['string', 3] }],
  closeConsumer: [16, { consumerId: ['uint64', 1], requestId: ['uint64', 2] }],
  ping: [18, {}],
  pong: [19, {}],
  partitions: [21, { topic: ['string', 1], requestId: ['uint64', 2] }],
  partitionsAnswer: [
    22,
    {
      partitions: ['uint32', 1],
      requestId: ['uint64', 2],
      response: ['int32', 3],
      error: ['int32', 4],
      message: ['string', 5],
    },
  ],
  lookup: [23, { topic: ['string', 1], requestId: ['uint64', 2], authoritative: ['bool', 3] }],
  lookupAnswer: [
    24,
    {
      url: ['string', 1],
      urlTls: ['string', 2],
      response: ['int32', 3],
      requestId: ['uint64', 4],
      authoritative: ['bool', 5],
      error: ['int32', 6],
      message: ['string', 7],
      proxied: ['bool', 8],
    },
  ],
}

const parts: Record<string, Shape> = {
  MessageId: { ledgerId: ['uint64', 1], entryId: ['uint64', 2], partition: ['int32', 3] },
  Encryption: { key: ['string', 1] },
  EntryMetadata: {
    publishTime: ['uint64', 3],
    key: ['string', 6],
    compression: ['int32', 8],
    uncompressedSize: ['uint32', 9],
    batchSize: ['int32', 11],
    encryption: ['Encryption*', 13],
    uuid: ['string', 26],
    chunkCount: ['int32', 27],
    chunkBytes: ['int32', 28],
    chunkId: ['int32', 29],
  },
  SingleMetadata: { key: ['string', 2], payloadSize: ['int32', 3] },
}

export interface Codec {
  encode<Name extends CommandName>(name: Name, body: Commands[Name]): Uint8Array
  /** Null for a command that a consumer need not know. @throws Error when it is not the protocol */
  decode(bytes: Uint8Array): Command | null
  /** @throws Error when it is not the protocol */
  entryMetadata(bytes: Uint8Array): EntryMetadata
  /** @throws Error when it is not the protocol */
  singleMetadata(bytes: Uint8Array): SingleMetadata
}

/** Loads the library for it. */
export async function loadCodec(): Promise<Codec> {
  const { default: protobuf } = await import('protobufjs/light.js')
  const names = Object.keys(commands) as CommandName[]
  const base: Shape = Object.fromEntries(names.map((name) => [name, [name.toUpperCase(), commands[name][0]]]))
  const shapes: Record<string, Shape> = { ...parts, Base: { type: ['int32', 1], ...base } }
  for (const name of names) shapes[name.toUpperCase()] = commands[name][1]
  const root = protobuf.Root.fromJSON({
    nested: Object.fromEntries(
      // By the rules of proto2 zeros are written; the broker asks for them.
      Object.entries(shapes).map(([name, shape]) => [name, { edition: 'proto2', fields: fieldsOf(shape) }]),
    ),
  })
  const [command, entry, single] = ['Base', 'EntryMetadata', 'SingleMetadata'].map((name) => root.lookupType(name))
  return {
    encode: (name, body) => command!.encode({ type: commands[name][0], [name]: body }).finish(),
    decode(bytes) {
      const decoded = command!.decode(bytes) as unknown as Record<string, unknown>
      const name = names.find((one) => commands[one][0] === decoded.type)
      return name === undefined || decoded[name] == null ? null : ({ name, body: decoded[name] } as Command)
    },
    entryMetadata: (bytes) => own(entry!.decode(bytes)) as unknown as EntryMetadata,
    singleMetadata: (bytes) => own(single!.decode(bytes)) as unknown as SingleMetadata,
  }
}

/** Without the defaults that the library gives to what is absent. */
const own = (message: object) => ({ ...message })

const fieldsOf = (shape: Shape) =>
  Object.fromEntries(
    Object.entries(shape).map(([name, [type, id]]) =>
      type.endsWith('*') ? [name, { rule: 'repeated', type: type.slice(0, -1), id }] : [name, { type, id }],
    ),
  )

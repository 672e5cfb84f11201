/**
 * Azure Event Hubs as its official clients meet it: AMQP 1.0 with tokens over `$cbs`, questions over `$management`, links to and from
 * partitions. No package registry has the service or its emulator. What it answers is what the
 * sources of those clients say.
 */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import rhea, { type Connection, type EventContext, type Message, type Sender } from 'rhea'
import { type HubEntry, type HubLog, type HubPartition, lastOf, openHubLog } from './event-hubs-log.ts'

export interface FakeEventHubsOptions {
  /** Where messages are kept. */
  file: string
  /** 0 or none: a free one. */
  port?: number
  /** Partitions by hub; made when they are not there. */
  hubs: Record<string, number>
  /** The shared access policy. */
  policy: { name: string; key: string }
  /** Tokens of Entra ID that are good. */
  tokens?: string[]
  /** PEM texts. Without them it speaks as the emulator does. */
  tls?: { cert: string; key: string }
}

export interface FakeEventHubs {
  readonly port: number
  readonly hubs: HubLog
  /** `$cbs` requests so far: the addresses. */
  readonly authorized: string[]
  /** Links that receive from partitions: how many messages each may still be sent. */
  credits(): number[]
  /** Ends all links that receive from partitions. */
  detach(condition: string, description: string): void
  /** What it was told after its own changes of {@link hubs} is sent on. */
  pump(): void
  close(): Promise<void>
}

/** The format of a transfer that holds several messages, each in a data section. */
const BATCH = 0x80013700
const READERS = 5

interface Reader {
  sender: Sender
  hub: string
  partition: number
  next: number
}

export async function startFakeEventHubs(options: FakeEventHubsOptions): Promise<FakeEventHubs> {
  const { policy, tokens = [], tls } = options
  const hubs = openHubLog(options.file)
  for (const [hub, partitions] of Object.entries(options.hubs))
    if (hubs.get(hub) === undefined) hubs.make(hub, partitions)
  const container = rhea.create_container({
    receiver_options: { autoaccept: false, max_message_size: 1_048_576 },
  } as never)
  container.sasl_server_mechanisms.enable_anonymous()
  const connections = new Map<Connection, Set<string>>()
  const readers = new Set<Reader>()
  const authorized: string[] = []

  const pump = (): void => {
    for (const reader of readers) {
      const partition = hubs.get(reader.hub)?.partitions[reader.partition]
      if (partition === undefined) continue
      reader.next = Math.max(reader.next, partition.first)
      for (; reader.sender.sendable() && reader.next <= lastOf(partition); reader.next++) {
        const entry = partition.entries[reader.next - partition.first]
        if (entry) reader.sender.send(asRead(entry, reader.next))
      }
    }
  }

  const answerToken = ({ message, connection }: EventContext): Answer => {
    const { name, type } = message!.application_properties!
    const token = String(message!.body)
    const good = type === 'jwt' ? tokens.includes(token) : isSigned(token, String(name), policy)
    if (!good) return refusal(401, 'InvalidSignature: The token has an invalid signature.')
    connections.get(connection)?.add(pathOf(String(name)))
    authorized.push(pathOf(String(name)))
    return { properties: { 'status-code': 202, 'status-description': 'Accepted' } }
  }

  const answerQuestion = ({ message }: EventContext): Answer => {
    const { operation, name, type, partition: id } = message!.application_properties!
    const hub = hubs.get(String(name))
    if (operation !== 'READ') return refusal(400, 'The operation is not supported.')
    if (hub === undefined) return refusal(404, `The messaging entity 'sb://double/${name}' could not be found.`)
    const { wrap_timestamp, wrap_long, wrap_array } = rhea.types
    if (type === 'com.microsoft:eventhub') {
      const ids = hub.partitions.map((_, i) => String(i))
      const created_at = wrap_timestamp(hub.createdMs)
      return found({
        name,
        type,
        created_at,
        partition_count: ids.length,
        partition_ids: wrap_array(ids, 0xa1, undefined),
      })
    }
    const partition = hub.partitions[Number(id)]
    if (partition === undefined) return refusal(404, `The partition ${id} could not be found.`)
    return found({
      name,
      type,
      partition: id,
      begin_sequence_number: wrap_long(partition.first),
      last_enqueued_sequence_number: wrap_long(lastOf(partition)),
      last_enqueued_offset: String(lastOf(partition) * 10),
      last_enqueued_time_utc: wrap_timestamp(partition.entries.at(-1)?.enqueuedMs ?? 0),
      is_partition_empty: partition.entries.length === 0,
    })
  }

  /** What a client asks for by attaching a link. */
  container.on('sender_open', ({ sender, connection }: EventContext) => {
    const address = sender!.source.address ?? ''
    sender!.set_source({ address })
    if (address === '$cbs' || address === '$management') return
    const refuse = (condition: string, description: string) => sender!.close({ condition, description })
    const match = /^(.+)\/ConsumerGroups\/(.+)\/Partitions\/(\d+)$/.exec(address)
    const [, name = '', group, id] = match ?? []
    const partition = hubs.get(name)?.partitions[Number(id)]
    if (partition === undefined)
      return refuse('amqp:not-found', `The messaging entity '${address}' could not be found.`)
    if (!connections.get(connection)?.has(address))
      return refuse(
        'amqp:unauthorized-access',
        "Unauthorized access. 'Listen' claim(s) are required to perform this operation.",
      )
    const at = [...readers].filter((reader) => reader.hub === name && reader.partition === Number(id))
    if (at.length >= READERS) {
      const text = `Exceeded the maximum number of allowed receivers per partition in a consumer group which is ${READERS}`
      return refuse('amqp:resource-limit-exceeded', `${text} (${group}).`)
    }
    const next = startOf(sender!, partition)
    if (next === null)
      return refuse(
        'com.microsoft:argument-error',
        `The supplied sequence number is invalid. The last sequence number in the system is '${lastOf(partition)}'`,
      )
    const reader: Reader = { sender: sender!, hub: name, partition: Number(id), next }
    readers.add(reader)
    for (const end of ['sender_close', 'session_close']) sender!.on(end, () => readers.delete(reader))
    connection.on('disconnected', () => readers.delete(reader))
    sender!.on('sendable', pump)
    pump()
  })

  container.on('receiver_open', ({ receiver, connection }: EventContext) => {
    const { address = '' } = receiver!.target
    receiver!.set_target({ address })
    if (address === '$cbs' || address === '$management') return
    if (!connections.get(connection)?.has(address))
      receiver!.close({ condition: 'amqp:unauthorized-access', description: "'Send' claim(s) are required." })
  })

  let turn = 0
  let stopping = false
  container.on('message', (context: EventContext) => {
    // What is stored after the end has been said, nobody would hear of.
    if (stopping) return
    const { receiver, message, delivery, connection } = context
    const { address = '' } = receiver!.target
    if (address === '$cbs' || address === '$management') {
      delivery!.accept()
      const { properties, body } = address === '$cbs' ? answerToken(context) : answerQuestion(context)
      const back = connection.find_sender(
        (link: Sender) => link.session === receiver!.session && link.source?.address === address,
      ) as Sender
      back.send({
        correlation_id: message!.message_id,
        to: message!.reply_to,
        application_properties: properties,
        body,
      } as Message)
      return
    }
    const [, name = '', id] = /^(.+?)(?:\/Partitions\/(\d+))?$/.exec(address)!
    const count = hubs.get(name)?.partitions.length ?? 0
    if (count === 0 || Number(id ?? 0) >= count) {
      delivery!.reject({ condition: 'amqp:not-found', description: address })
      return
    }
    const partition = id === undefined ? turn++ % count : Number(id)
    const messages =
      delivery!.format === BATCH ? unpacked(message as unknown as Buffer) : [rhea.message.encode(message!)]
    for (const one of messages) hubs.append(name, partition, one as Buffer)
    delivery!.accept()
    pump()
  })

  container.on('connection_open', ({ connection }: EventContext) => connections.set(connection, new Set()))
  for (const end of ['connection_close', 'disconnected'])
    container.on(end, ({ connection }: EventContext) => connections.delete(connection))
  for (const ignored of [
    'connection_error',
    'session_error',
    'sender_error',
    'receiver_error',
    'error',
    'protocol_error',
  ])
    container.on(ignored, () => {})

  const server = container.listen({
    port: options.port ?? 0,
    host: '127.0.0.1',
    ...(tls === undefined ? {} : { transport: 'tls', ...tls }),
  } as never)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  server.on('tlsClientError', () => {})
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    hubs,
    authorized,
    credits: () => [...readers].map(({ sender }) => (sender as unknown as { credit: number }).credit),
    detach(condition, description) {
      for (const { sender } of readers) sender.close({ condition, description })
      readers.clear()
    },
    pump,
    async close() {
      stopping = true
      const closed = once(server, 'close')
      server.close()
      // What was stored is said to be before the end of each connection.
      for (const connection of connections.keys())
        connection.close({ condition: 'amqp:connection:forced', description: 'The service is stopping.' })
      const patience = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, 500)
      await closed
      clearTimeout(patience)
    },
  }
}

interface Answer {
  properties: Record<string, unknown>
  body?: unknown
}

const found = (body: Record<string, unknown>): Answer => ({
  properties: { 'status-code': 200, 'status-description': 'OK' },
  body,
})

const refusal = (code: number, description: string): Answer => ({
  properties: {
    'status-code': code,
    'status-description': `${description} TrackingId:${Math.random()}, Timestamp:${Date.now()}`,
  },
})

/** https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature */
function isSigned(token: string, audience: string, { name, key }: { name: string; key: string }): boolean {
  const [, sr = '', sig = '', se = '', skn] =
    /^SharedAccessSignature sr=([^&]+)&sig=([^&]+)&se=(\d+)&skn=(.+)$/.exec(token) ?? []
  const right = createHmac('sha256', key).update(`${sr}\n${se}`).digest('base64')
  const fits = decodeURIComponent(sr) === audience && decodeURIComponent(skn ?? '') === name
  return fits && decodeURIComponent(sig) === right && Number(se) > Date.now() / 1000
}

/** `sb://host:port/hub/…` without what is before the hub. */
const pathOf = (audience: string): string => audience.replace(/^\w+:\/\/[^/]+\//, '')

/** @returns the first sequence number that a link wants, or null when there can be no such one */
function startOf(sender: Sender, partition: HubPartition): number | null {
  const filter = (sender.source as { filter?: Record<string, { value?: unknown }> }).filter ?? {}
  const selector = filter['apache.org:selector-filter:string']
  const text = String((selector as { value?: unknown } | undefined)?.value ?? selector)
  const [, field, comparison, value = ''] = /x-opt-(offset|sequence-number) (>=?) '([^']*)'/.exec(text) ?? []
  const last = lastOf(partition)
  if (value === '@latest') return last + 1
  const number = field === 'offset' ? Math.floor(Number(value) / 10) : Number(value)
  if (field === 'sequence-number' && number > last) return null
  return Math.max(partition.first, comparison === '>=' ? number : number + 1)
}

/** A stored message as a reader gets it. */
function asRead({ message, enqueuedMs }: HubEntry, number: number): Message {
  const decoded = rhea.message.decode(Buffer.from(message, 'base64')) as unknown as Message
  const { wrap_long, wrap_timestamp } = rhea.types
  return {
    ...decoded,
    message_annotations: {
      ...decoded.message_annotations,
      'x-opt-sequence-number': wrap_long(number),
      'x-opt-offset': String(number * 10),
      'x-opt-enqueued-time': wrap_timestamp(enqueuedMs),
    },
  } as Message
}

/** Several messages in one transfer. */
function unpacked(transfer: Buffer): Buffer[] {
  const { body } = rhea.message.decode(transfer) as unknown as {
    body: { content: Buffer | Buffer[]; multiple?: boolean }
  }
  return body.multiple ? (body.content as Buffer[]) : [body.content as Buffer]
}

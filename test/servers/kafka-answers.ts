/**
 * A proxy before a Kafka broker that knows its requests, so that the answer to a single step can be lost, late or another one while everything
 * else on the same connection goes on. Frames: https://kafka.apache.org/protocol#protocol_messages.
 */
import { connect, createServer, type Socket } from 'node:net'

/** https://kafka.apache.org/protocol#protocol_api_keys */
export const API = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  ApiVersions: 18,
  CreateTopics: 19,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const

export type Api = keyof typeof API

/** What becomes of the answers to one kind of request: the first is lost, or it and all that follows on its connection; or all of them for a while from the first on. */
export type Fault = 'lost once' | 'silent from there on' | 'lost for 6 s' | { error: number }

/** So long brokers misbehave, where it is not once. */
const WHILE_MS = 6_000

/** An answer on its way to the client. */
export interface Answer {
  api: number
  version: number
  /** As the request says it. */
  clientId: string
  /** With its size before it. May be changed in place. */
  frame: Buffer
  /** From now on nothing passes on this connection, which stays open. */
  hang(): void
}

export interface KafkaAnswers {
  readonly port: number
  /** Asked about every answer, by all of them until one says so: `drop` it. @returns no longer */
  watch(watcher: (answer: Answer) => 'drop' | undefined): () => void
  close(): Promise<void>
}

/** Listens on a free loopback port and forwards to `target`, a port of loopback. */
export async function startKafkaAnswers(target: number): Promise<KafkaAnswers> {
  const watchers = new Set<(answer: Answer) => 'drop' | undefined>()
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    const asked = new Map<number, { api: number; version: number; clientId: string }>()
    let hung = false
    const end = () => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
    }
    for (const socket of [client, upstream]) socket.setNoDelay(true).on('error', end).on('close', end)
    sockets.add(client)
    client.on(
      'data',
      framesOf((frame) => {
        const length = frame.readInt16BE(12)
        asked.set(frame.readInt32BE(8), {
          api: frame.readInt16BE(4),
          version: frame.readInt16BE(6),
          clientId: frame.toString('utf8', 14, 14 + Math.max(0, length)),
        })
        if (upstream.writable) upstream.write(frame)
      }),
    )
    upstream.on(
      'data',
      framesOf((frame) => {
        const correlation = frame.readInt32BE(4)
        const request = asked.get(correlation)!
        asked.delete(correlation)
        const hang = () => {
          hung = true
        }
        const dropped = [...watchers].some((watcher) => watcher({ ...request, frame, hang }) === 'drop')
        if (!dropped && !hung && client.writable) client.write(frame)
      }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    watch(watcher) {
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** From now on, for the clients of this id. @returns how many answers it has been */
export function spoil(answers: KafkaAnswers, clientId: string, api: Api, fault: Fault): () => number {
  let [beganMs, count] = [0, 0]
  answers.watch((answer) => {
    if (answer.clientId !== clientId || answer.api !== API[api]) return
    beganMs ||= performance.now()
    if (fault === 'lost once' || fault === 'silent from there on') {
      if (count++ > 0) return
      if (fault === 'silent from there on') answer.hang()
      return 'drop'
    }
    if (performance.now() - beganMs > WHILE_MS) return
    count++
    if (fault === 'lost for 6 s') return 'drop'
    answer.frame.writeInt16BE(fault.error, errorAt(answer.api, answer.frame))
    return
  })
  return () => count
}

/** In words. */
export const shown = (fault: Fault): string =>
  typeof fault === 'string' ? fault : `refused with ${fault.error} for 6 s`

function framesOf(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const size = 4 + rest.readInt32BE(0)
      take(Buffer.from(rest.subarray(0, size)))
      rest = rest.subarray(size)
    }
  }
}

/** Where an answer has its error code; only of versions with compact arrays (KIP-482), which this client speaks with a broker of today. */
export function errorAt(api: number, frame: Buffer): number {
  // Size, correlation id, tags of the header, throttle time.
  let at = 4 + 4 + 1 + 4
  const skipText = () => {
    at += frame.readUInt8(at)
  }
  switch (api) {
    case API.InitProducerId:
    case API.AddOffsetsToTxn:
    case API.EndTxn:
      return at
    case API.FindCoordinator:
      at += 1
      skipText()
      at += 4
      skipText()
      return at + 4
    case API.Produce:
      // The throttle time comes last.
      at -= 4
      break
  }
  // Topics, the first one's name, its partitions, the index of the first one.
  at += 1
  skipText()
  return at + 1 + 4
}

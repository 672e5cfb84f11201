/**
 * One client of a Kafka cluster. Protocol facts: https://kafka.apache.org/protocol. Fetching and what a transaction aborted are our own
 * business (kafka-fetch.ts), since the library's filter loses track when one producer aborts more than once within a fetch.
 */
import type { Admin, Connection, ConnectionPool, SASLOptions } from '@platformatic/kafka'
import { type Clock, systemClock } from '../core/clock.ts'
import { adminsOf, takeTurns } from './kafka-ask.ts'
import { ANSWER_MS, type Asking, type BrokerAddress, connectionsOf } from './kafka-connections.ts'
import { serverNameOf } from './server-name.ts'

/** Logins that this client can make. */
export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type SaslMechanism = (typeof SASL_MECHANISMS)[number]

export interface KafkaOptions {
  /** `host:port` of some brokers; the others are learnt from the first that answers. */
  brokers: string[]
  /** Shown by the brokers' logs and quotas. */
  clientId: string
  /** As `node:tls` takes it; left out: no encryption. */
  tls?: { rejectUnauthorized: boolean; ca?: string; cert?: string; key?: string } | undefined
  /** For a connection, and for an answer: a broker that takes longer is gone. Milliseconds; 5,000 and 10,000 when left out. */
  connectTimeoutMs?: number
  requestTimeoutMs?: number
  /** Who has sent nothing for so long while an answer is due is asked on a new connection. Milliseconds; {@link ANSWER_MS} when left out. */
  answerMs?: number | undefined
  /** `token` is asked for one at each connection, and again before the broker ends the session. */
  sasl?:
    | { mechanism: SaslMechanism; username: string; password: string }
    | { mechanism: 'OAUTHBEARER'; token: () => Promise<string> }
    | undefined
  clock?: Clock
}

export interface KafkaTopic {
  /** The cluster's id. */
  cluster: string
  /** The topic's id, which a topic of the same name that is made anew does not have. Before Kafka 2.8 its name. */
  id: string
  /** The broker that leads each partition, in the order of partitions; -1: nobody. */
  leaders: number[]
}

/**
 * A broker answers what comes over one connection one by one. So what it may keep back, until there is more to read, has a connection of its own, and
 * what is read to the end has another.
 */
export type Lane = 'writing' | 'reading' | 'waiting'

/** Next offsets by partition. */
export type KafkaOffsets = Record<string, number>

/**
 * Every call rejects with the library's error, whose causes say which layer failed, or with OUTCOME_UNKNOWN when there is no answer. None takes
 * longer than some seconds, whatever brokers and network do.
 */
export interface KafkaClient {
  /** Of the broker that answered last. The library's own patience holds. */
  readonly admin: Admin
  /** Asks any broker what all can tell; when it is silent, others as well. */
  ask<T>(question: (admin: Admin) => Promise<T>): Promise<T>
  /** Asks a broker, not the cache. */
  topic(name: string): Promise<KafkaTopic>
  /** The first offset that is there, the one after the last that is committed, or the high watermark: after the last that is stored. */
  offsets(topic: string, partitions: number[], at: 'earliest' | 'latest' | 'stored'): Promise<KafkaOffsets>
  /** What a consumer group has committed; a partition without a commit is not in it. */
  committed(group: string, topic: string, partitions: number[]): Promise<KafkaOffsets>
  /** Commits as a consumer that is no member. Refused (UNKNOWN_MEMBER_ID) while the group has members. */
  commit(group: string, topic: string, offsets: KafkaOffsets): Promise<void>
  /** Asks one broker of the cluster. Rejects for a node that the last metadata do not name. */
  askNode<T>(node: number, lane: Lane, question: (connection: Connection) => Promise<T>, asking?: Asking): Promise<T>
  /** As `ask`, by {@link KafkaClient.askNode}, brokers that were there when last a topic was asked for. */
  askInWriting<T>(question: (connection: Connection) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** How a server that speaks TLS answers who does not (RFC 8446 §5.1). */
const TLS_ALERT = 0x15
const TLS_MAJOR = 3
const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 10_000
const EARLIEST = -2n
const LATEST = -1n
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

/** Connects with the first call. The library is loaded here, so that only who uses Kafka pays for it. */
export async function connectKafka({
  brokers,
  clientId,
  connectTimeoutMs = CONNECT_TIMEOUT_MS,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
  answerMs = ANSWER_MS,
  tls,
  sasl,
  clock = systemClock,
}: KafkaOptions): Promise<KafkaClient> {
  const kafka = await import('@platformatic/kafka')
  // Of the broker that is being connected to: the library knows only one name for all, or each one's host, address or not.
  let servername: string | undefined
  const named = {
    ...tls,
    get servername() {
      return servername
    },
  }
  const connecting = {
    connectTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    ...(tls === undefined ? {} : { tls: named }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
  }
  const speaksTls = new Error('the broker speaks TLS at this port, and no tls is set: set it')
  /** The last error of a connection, by pool. */
  const faults = new WeakMap<ConnectionPool, Error>()
  // What fails is told to who asked; an error without a listener would end the process.
  const heard = (pool: ConnectionPool) =>
    pool.on('connecting', ({ broker, connection }) => {
      // What follows in the same turn reads it.
      servername = serverNameOf(broker.host)
      connection.on('error', (error) => {
        if (faults.get(pool) !== speaksTls) faults.set(pool, error)
      })
      // The library knows it too, but forgets it where it logs in.
      if (tls !== undefined) return
      const look = () =>
        connection.socket?.once('data', (words: Buffer) => {
          if (words[0] === TLS_ALERT && words[1] === TLS_MAJOR) faults.set(pool, speaksTls)
        })
      // There is a socket as soon as this call is through.
      connection.once('connecting', () => queueMicrotask(look))
    })
  const admins = adminsOf(
    (address) => {
      const options = { clientId, bootstrapBrokers: [address], retries: 0, autocreateTopics: false }
      const admin = new kafka.Admin({ ...connecting, ...options })
      heard(admin.connections)
      return admin
    },
    brokers,
    clock,
    answerMs,
  )
  const { ask } = admins
  const limits = { connectMs: connectTimeoutMs, answerMs }
  const connectionTo = ({ host }: BrokerAddress) =>
    new kafka.Connection(clientId, {
      ...connecting,
      ...(tls === undefined ? {} : { tls: { ...tls, servername: serverNameOf(host) } }),
    })
  const connections = () => connectionsOf(connectionTo, limits, clock)
  const lanes = { writing: connections(), reading: connections(), waiting: connections() }
  const writers = takeTurns(clock)
  const metadata = (topic: string) =>
    ask(async (admin) => {
      faults.delete(admin.connections)
      try {
        return await admin.metadata({ topics: [topic], forceUpdate: true })
      } catch (error) {
        // A server that refuses a certificate (TLS 1.3) does so on a connection that stands, and who asked only hears that it was closed.
        const fault = faults.get(admin.connections)
        if (error instanceof Error && error.cause === undefined && error !== fault) error.cause = fault
        throw error
      }
    })
  let nodes: Awaited<ReturnType<typeof metadata>>['brokers'] = new Map()
  const askNode: KafkaClient['askNode'] = async (node, lane, question, asking) => {
    const broker = nodes.get(node)
    if (broker === undefined) throw new Error(`broker ${node} is not there`)
    return await lanes[lane].ask(broker, question, asking)
  }
  return {
    get admin() {
      return admins.admin
    },
    ask,
    async topic(name) {
      const { id: cluster, brokers: known, topics } = await metadata(name)
      nodes = known
      admins.learn(
        [...known.values()].map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)),
      )
      const { id, partitions } = topics.get(name)!
      return { cluster, id, leaders: partitions.map(({ leader }) => leader) }
    },
    async offsets(name, partitions, at) {
      const timestamp = at === 'earliest' ? EARLIEST : LATEST
      const wanted = partitions.map((partitionIndex) => ({ partitionIndex, timestamp }))
      if (wanted.length === 0) return {}
      const isolationLevel = at === 'stored' ? READ_UNCOMMITTED : READ_COMMITTED
      const topics = [{ name, partitions: wanted }]
      const [found] = await ask((admin) => admin.listOffsets({ topics, isolationLevel }))
      return Object.fromEntries(found!.partitions.map((one) => [one.partitionIndex, Number(one.offset)]))
    },
    async committed(groupId, name, partitions) {
      const asked = [{ groupId, topics: [{ name, partitionIndexes: partitions }] }]
      const groups = await ask((admin) => admin.listConsumerGroupOffsets({ groups: asked }))
      const found = groups[0]?.topics[0]?.partitions ?? []
      return Object.fromEntries(
        found
          .filter(({ committedOffset }) => committedOffset >= 0n)
          .map((one) => [one.partitionIndex, Number(one.committedOffset)]),
      )
    },
    async commit(groupId, name, offsets) {
      const partitionOffsets = Object.entries(offsets).map(([partition, offset]) => ({
        partition: Number(partition),
        offset: BigInt(offset),
      }))
      const topics = [{ name, partitionOffsets }]
      await admins.askOnce((admin) => admin.alterConsumerGroupOffsets({ groupId, topics }))
    },
    askNode,
    askInWriting: (question) => writers.ask(nodes.keys(), async (node) => await askNode(node, 'writing', question)),
    async close() {
      await Promise.all([admins.close(), ...Object.values(lanes).map((lane) => lane.close())])
    },
  }
}

function saslOptions(sasl: NonNullable<KafkaOptions['sasl']>): SASLOptions {
  if (sasl.mechanism !== 'OAUTHBEARER') return sasl
  return {
    ...sasl,
    // A refusal comes as an answer like success, with the reason in it (RFC 7628 §3.2.2).
    authBytesValidator(answer, callback) {
      if (answer.length === 0) callback(null, answer)
      else callback(new Error(`the broker refuses the token: ${answer.toString()}`))
    },
  }
}

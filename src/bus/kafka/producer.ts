/**
 * The requests of a producer, each repeated while the answer says that waiting helps. Facts: https://kafka.apache.org/protocol, KIP-98,
 * KIP-360, KIP-447. The library's own producer takes a new epoch by itself after it was fenced, which would undo the fence.
 */
import type { Connection } from '@platformatic/kafka'
import type { KafkaClient } from '../../clients/kafka.ts'
import { brokerCode, innermost } from '../../clients/kafka-errors.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError } from '../../core/errors.ts'
import { within } from '../../core/signals.ts'
import type { Consumed } from '../../source.ts'
import { partsOf } from '../parts.ts'
import type { Message } from './message.ts'
import { tryUntil } from './patience.ts'

export interface Identity {
  producerId: bigint
  producerEpoch: number
  transactionalId?: string
}

const LAST_EPOCH = 2 ** 15 - 1

/**
 * An identity without a transactional id after a batch of unknown fate: its sequence numbers begin anew (the stock client does the same,
 * KIP-360). Null when a new one is needed.
 */
export const nextEpoch = ({ producerId, producerEpoch }: Identity): Identity | null =>
  producerEpoch < LAST_EPOCH ? { producerId, producerEpoch: producerEpoch + 1 } : null

/** Next sequence numbers of one identity, by `<topic>:<partition>`. */
export type Sequences = Map<string, number>

/** Who may begin transactions. */
export type Transactional = Identity & {
  transactionalId: string
  /** Told when a request may still be carried out, late: its answer did not come, and it was asked again. */
  doubted?(): void
}

export interface Producer {
  /**
   * Takes the next epoch of a transactional id, when what it left open has been ended on all partitions; without one, a new identity.
   * @param asking told which broker is asked, each time
   * @throws BUS_UNAVAILABLE
   */
  init(transactionalId?: string, asking?: (node: number) => void): Promise<Identity>
  /**
   * The next epoch for who has this one, when nobody has taken one since (KIP-360): what is late from this one is refused from then on.
   * @throws FENCED, OUTCOME_UNKNOWN
   */
  renew(identity: Transactional): Promise<Transactional>
  /** Adds partitions to the transaction, and begins it. @throws FENCED, OUTCOME_UNKNOWN */
  add(identity: Transactional, messages: Message[]): Promise<void>
  /** @returns the offset of each message. @throws FENCED, OUTCOME_UNKNOWN */
  produce(identity: Identity, messages: Message[], sequences: Sequences): Promise<number[]>
  /**
   * Adds what a consumer group has consumed to the transaction, which must have begun.
   * @returns why the broker refuses that (the transaction can be committed all the same), or null. @throws FENCED, OUTCOME_UNKNOWN
   */
  addConsumed(identity: Transactional, consumed: Consumed): Promise<string | null>
  /** Commits. @throws FENCED when it certainly did not; OUTCOME_UNKNOWN */
  commit(identity: Transactional): Promise<void>
}

/** What a dead or paused replica has open is aborted after this, and holds up readers of what is committed until then. */
export const TRANSACTION_TIMEOUT_MS = 10_000
/** Requests are repeated for so long. */
const PATIENCE_MS = 8_000
/** Where the leaders are now is waited for so long between two of them. */
const REFRESH_MS = 2_000
const PAUSE = { firstMs: 4, maxMs: 200, jitter: 0.5 }
/** The coordinator is still telling the partitions that the transaction before has ended, which takes a millisecond or two. */
const ENDING = { firstMs: 1, maxMs: 20, jitter: 0.5 }
/** Of the records in one request; a topic's default limit is 1,048,588 with all that belongs to the batch. */
const BATCH = { bytes: 900_000 }
const RECORD_OVERHEAD = 200
const ALL = -1
const GROUP = 0
const TRANSACTION = 1
/** Who commits is no member of the group. */
const NO_MEMBER = [-1, '', null] as const

const CONCURRENT_TRANSACTIONS = 51
/** The coordinator has moved or is loading. */
const COORDINATOR = new Set([14, 15, 16])
/** Nothing is refused by these: they were repeated for too long. */
const PASSING = new Set([CONCURRENT_TRANSACTIONS, ...COORDINATOR])
/** The partition's leader has moved, or too few replicas are in sync; nothing is lost by asking again with the same sequence. */
const LEADER = new Set([3, 5, 6, 7, 8, 9, 13, 19, 20, 56])
/** A newer epoch rules: INVALID_PRODUCER_EPOCH, PRODUCER_FENCED. */
const FENCED = new Set([47, 90])

interface CoordinatorOptions {
  keyType?: typeof GROUP | typeof TRANSACTION
  /** Told when a request that has worked may be carried out once more, late. */
  doubted?: (() => void) | undefined
  asking?: ((node: number) => void) | undefined
}

/** @param refresh asks for the topics' leaders anew */
export async function createProducer(
  client: KafkaClient,
  leaderOf: (topic: string, partition: number) => number,
  refresh: () => Promise<void>,
  clock: Clock,
): Promise<Producer> {
  const kafka = await import('@platformatic/kafka')
  const coordinators = { [GROUP]: new Map<string, number>(), [TRANSACTION]: new Map<string, number>() }

  const coordinatorOf = async (keyType: keyof typeof coordinators, id: string): Promise<number> => {
    let node = coordinators[keyType].get(id)
    if (node === undefined) {
      const [found] = await client.ask((admin) => admin.findCoordinator({ keyType, keys: [id] }))
      node = found!.nodeId
      coordinators[keyType].set(id, node)
    }
    return node
  }

  /**
   * @param ask what is asked again while that may help
   * @param doubted told when it has worked, but an attempt before may still be carried out
   * @throws FENCED; OUTCOME_UNKNOWN, also when an attempt before may have worked that a newer epoch hides
   */
  const repeated = async <T>(
    ask: (signal: AbortSignal) => Promise<T>,
    forget: () => void,
    mayWait: ReadonlySet<number>,
    doubted = () => {},
  ): Promise<T> => {
    const deadline = clock.monotonic() + PATIENCE_MS
    let lost = false
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await tryUntil(deadline, ask, clock)
        if (lost) doubted()
        return answer
      } catch (error) {
        const code = brokerCode(error)
        if (code !== null && FENCED.has(code)) {
          if (!lost) throw fail('FENCED', `a newer epoch of the producer rules: ${innermost(error)}`)
          throw fail('OUTCOME_UNKNOWN', 'the answer was lost, and a newer epoch of the producer rules since')
        }
        if (code === null) lost = true
        const waits = code === null || code === CONCURRENT_TRANSACTIONS || mayWait.has(code)
        const moved = waits && code !== CONCURRENT_TRANSACTIONS
        // Also who gives up: the next to ask would wait for the same silent broker again.
        if (moved) forget()
        if (!waits || clock.monotonic() > deadline)
          throw fail('OUTCOME_UNKNOWN', innermost(error), {}, { cause: error })
        if (moved) await within(refresh(), REFRESH_MS, clock).catch(() => {})
        await clock.sleep(backoffMs(attempt, code === CONCURRENT_TRANSACTIONS ? ENDING : PAUSE))
      }
    }
  }
  const atCoordinator = <T>(
    id: string,
    ask: (connection: Connection) => Promise<T>,
    { keyType = TRANSACTION, doubted, asking = () => {} }: CoordinatorOptions = {},
  ) =>
    repeated(
      async (signal) => {
        const node = await coordinatorOf(keyType, id)
        signal.throwIfAborted()
        asking(node)
        return await client.askNode(node, 'writing', ask, { signal })
      },
      () => coordinators[keyType].delete(id),
      COORDINATOR,
      doubted,
    )

  const produceBatch = async (
    identity: Identity & { doubted?(): void },
    messages: Message[],
    sequences: Sequences,
  ): Promise<number> => {
    const { topic, partition } = messages[0]!
    const key = `${topic}:${partition}`
    const firstSequence = sequences.get(key) ?? 0
    const records = messages.map((one) => ({ ...one, value: one.value as Buffer }))
    const { producerId, producerEpoch, transactionalId } = identity
    const options = {
      ...{ producerId, producerEpoch, ...(transactionalId === undefined ? {} : { transactionalId }) },
      sequences: new kafka.NumericMap([[key, firstSequence]]),
    }
    const answer = await repeated(
      (signal) => {
        const ask = (connection: Connection) =>
          kafka.produceV9.api.async(connection, ALL, PATIENCE_MS, records, options)
        return client.askNode(leaderOf(topic, partition), 'writing', ask, { signal })
      },
      () => {},
      LEADER,
      identity.doubted,
    )
    // Sequence numbers begin anew after 2^31 - 1 (KIP-98).
    sequences.set(key, (firstSequence + messages.length) % 2 ** 31)
    // Only who asks for no acknowledgement gets a boolean.
    if (typeof answer === 'boolean') throw fail('BUG', 'the broker acknowledged nothing')
    return Number(answer.responses[0]!.partitionResponses[0]!.baseOffset)
  }

  return {
    async init(transactionalId, asking) {
      const { initProducerIdV4 } = kafka
      const ask = (connection: Connection) =>
        initProducerIdV4.api.async(connection, transactionalId ?? null, TRANSACTION_TIMEOUT_MS, -1n, -1)
      try {
        const { producerId, producerEpoch } =
          transactionalId === undefined
            ? await repeated(
                () => client.askInWriting(ask),
                () => {},
                COORDINATOR,
              )
            : await atCoordinator(transactionalId, ask, { asking })
        return { producerId, producerEpoch, ...(transactionalId === undefined ? {} : { transactionalId }) }
      } catch (error) {
        throw fail('BUS_UNAVAILABLE', `no producer id: ${innermost(error)}`, {}, { cause: error })
      }
    },
    async renew(identity) {
      const { transactionalId, producerId, producerEpoch } = identity
      const renewed = await atCoordinator(transactionalId, (connection) =>
        kafka.initProducerIdV4.api.async(
          ...[connection, transactionalId, TRANSACTION_TIMEOUT_MS, producerId, producerEpoch],
        ),
      )
      return { ...identity, producerId: renewed.producerId, producerEpoch: renewed.producerEpoch }
    },
    async add({ transactionalId, producerId, producerEpoch, doubted }, messages) {
      const topics = [...Map.groupBy(messages, ({ topic }) => topic)].map(([name, of]) => ({
        name,
        partitions: [...new Set(of.map(({ partition }) => partition))],
      }))
      const transaction = { transactionalId, producerId, producerEpoch, verifyOnly: false, topics }
      await atCoordinator(
        transactionalId,
        (connection) => kafka.addPartitionsToTxnV3.api.async(connection, [transaction]),
        { doubted },
      )
    },
    async produce(identity, messages, sequences) {
      const offsets = new Array<number>(messages.length)
      const byPartition = Map.groupBy(messages.keys(), (i) => `${messages[i]!.topic}:${messages[i]!.partition}`)
      await Promise.all(
        [...byPartition.values()].map(async (indexes) => {
          for (const part of partsOf(indexes, (i) => sizeOf(messages[i]!), BATCH)) {
            const of = part.map((i) => messages[i]!)
            const first = await produceBatch(identity, of, sequences)
            part.forEach((i, at) => {
              offsets[i] = first + at
            })
          }
        }),
      )
      return offsets
    },
    async addConsumed({ transactionalId, producerId, producerEpoch, doubted }, { group, topic, offsets }) {
      const partitions = Object.entries(offsets).map(([partition, offset]) => ({
        partitionIndex: Number(partition),
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: null,
      }))
      const topics = [{ name: topic, partitions }]
      try {
        await atCoordinator(
          transactionalId,
          (connection) =>
            kafka.addOffsetsToTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, group),
          { doubted },
        )
        await atCoordinator(
          group,
          (connection) =>
            kafka.txnOffsetCommitV3.api.async(
              ...[connection, transactionalId, group, producerId, producerEpoch, ...NO_MEMBER, topics],
            ),
          { keyType: GROUP, doubted },
        )
        return null
      } catch (error) {
        const code = brokerCode(error)
        const refused = isVedetteError(error, 'OUTCOME_UNKNOWN') && code !== null && !PASSING.has(code)
        if (!refused) throw error
        return innermost(error)
      }
    },
    async commit({ transactionalId, producerId, producerEpoch, doubted }) {
      await atCoordinator(
        transactionalId,
        (connection) => kafka.endTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, true),
        { doubted },
      )
    },
  }
}

const sizeOf = ({ key, value, headers }: Message): number =>
  key.length +
  (value?.length ?? 0) +
  RECORD_OVERHEAD +
  [...headers].reduce((sum, [k, v]) => sum + k.length + v.length, 0)

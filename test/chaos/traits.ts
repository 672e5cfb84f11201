/** What can be done to each origin without its losing what it has promised to keep, and how often it is drawn. Known before any is started. */
import type { Guarantee } from '../../src/source.ts'

export interface Traits {
  guarantee: Guarantee
  /** `restart`: graceful, or what it has instead; `kill`: -9, then started again; `freeze`; `cut`: a proxy stands before it; `readd`: its entry may be removed and added again. */
  can: readonly ('restart' | 'kill' | 'freeze' | 'cut' | 'readd')[]
  /** Against 1, for what starts quickly. */
  weight: number
  /** A state that is told once: what changed meanwhile may fold. */
  state?: true
  /** Takes long to start. */
  heavy?: true
  /** Every replica takes messages; on a bus that knows no ids a repeat may be there twice. */
  activeActive?: true
}

const all = ['restart', 'kill', 'freeze', 'cut'] as const

export const TRAITS: Readonly<Record<string, Traits>> = {
  'amqp (message-id)': { guarantee: 'exactly-once', can: [...all, 'readd'], weight: 0.8 },
  'amqp (no message-id)': { guarantee: 'at-least-once', can: [...all, 'readd'], weight: 0.8 },
  'amqp (queue without a name)': { guarantee: 'hot-standby', can: all, weight: 0.6 },
  'amqp (stream)': { guarantee: 'exactly-once', can: [...all, 'readd'], weight: 0.8 },
  // Its double keeps what it has acknowledged in a file.
  azureEventsHub: { guarantee: 'exactly-once', can: ['restart', 'kill', 'freeze'], weight: 1 },
  emitter: { guarantee: 'hot-standby', can: ['restart', 'cut'], weight: 0.8 },
  file: { guarantee: 'exactly-once', can: [], weight: 1, state: true },
  generic: { guarantee: 'exactly-once', can: ['restart', 'cut'], weight: 1 },
  hdfs: { guarantee: 'exactly-once', can: ['restart', 'kill', 'freeze'], weight: 0.5, state: true, heavy: true },
  'kafka (consumer group)': { guarantee: 'exactly-once', can: all, weight: 0.9, heavy: true },
  'kafka (one partition)': { guarantee: 'exactly-once', can: all, weight: 0.6, heavy: true },
  minio: { guarantee: 'exactly-once', can: all, weight: 1, state: true },
  // It keeps sessions in memory and writes them when it ends.
  'mqtt (QoS 0)': { guarantee: 'hot-standby', can: all, weight: 0.8 },
  'mqtt (QoS 1)': { guarantee: 'at-least-once', can: ['restart', 'freeze', 'cut'], weight: 1 },
  'mqtt ($share)': { guarantee: 'at-most-once', can: all, weight: 0.5 },
  nats: { guarantee: 'hot-standby', can: all, weight: 0.8 },
  'nats (queue group)': { guarantee: 'at-most-once', can: all, weight: 0.5 },
  // It keeps messages in memory and writes them when it ends.
  nsq: { guarantee: 'exactly-once', can: ['restart', 'freeze', 'cut', 'readd'], weight: 1.3 },
  // A fake that keeps everything in memory.
  pubSub: { guarantee: 'exactly-once', can: ['restart', 'freeze', 'cut', 'readd'], weight: 1 },
  'pulsar (exclusive)': { guarantee: 'exactly-once', can: ['restart', 'kill', 'freeze'], weight: 0.6, heavy: true },
  'pulsar (shared)': { guarantee: 'exactly-once', can: ['restart', 'kill', 'freeze'], weight: 0.6, heavy: true },
  'pulsar (exclusive, in chunks)': {
    guarantee: 'exactly-once',
    can: ['restart', 'kill', 'freeze'],
    weight: 0.3,
    heavy: true,
  },
  redis: { guarantee: 'hot-standby', can: all, weight: 0.8 },
  resource: { guarantee: 'exactly-once', can: ['restart'], weight: 0.3, state: true, heavy: true },
  // ElasticMQ keeps everything in memory.
  sqs: { guarantee: 'exactly-once', can: ['freeze', 'readd'], weight: 1, activeActive: true },
}

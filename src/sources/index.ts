/**
 * The registry: every type of the reference in alphabetical order, loaded only when an object uses it. A type that is not
 * here is "not yet in this version".
 */
import type { SourceDefinition } from '../source.ts'

const registry: Record<string, () => Promise<{ default: SourceDefinition<any, any> }>> = {
  amqp: () => import('./amqp.ts'),
  azureEventsHub: () => import('./azureEventsHub.ts'),
  bitbucket: () => import('./bitbucket.ts'),
  bitbucketserver: () => import('./bitbucketserver.ts'),
  calendar: () => import('./calendar.ts'),
  emitter: () => import('./emitter.ts'),
  file: () => import('./file.ts'),
  generic: () => import('./generic.ts'),
  github: () => import('./github.ts'),
  gitlab: () => import('./gitlab.ts'),
  hdfs: () => import('./hdfs.ts'),
  kafka: () => import('./kafka.ts'),
  minio: () => import('./minio.ts'),
  mqtt: () => import('./mqtt.ts'),
  nats: () => import('./nats.ts'),
  nsq: () => import('./nsq.ts'),
  pubSub: () => import('./pubSub.ts'),
  pulsar: () => import('./pulsar.ts'),
  redis: () => import('./redis.ts'),
  resource: () => import('./resource.ts'),
  slack: () => import('./slack.ts'),
  sns: () => import('./sns.ts'),
  sqs: () => import('./sqs.ts'),
  storageGrid: () => import('./storageGrid.ts'),
  stripe: () => import('./stripe.ts'),
  webhook: () => import('./webhook.ts'),
}

/** Every type key that upstream knows (its CRD), for "not yet in this version" and spelling help. */
export const upstreamTypes = [
  'amqp',
  'azureEventsHub',
  'azureQueueStorage',
  'azureServiceBus',
  'bitbucket',
  'bitbucketserver',
  'calendar',
  'emitter',
  'file',
  'generic',
  'gerrit',
  'github',
  'gitlab',
  'hdfs',
  'kafka',
  'minio',
  'mns',
  'mqtt',
  'nats',
  'nsq',
  'pubSub',
  'pulsar',
  'redis',
  'redisStream',
  'resource',
  'sftp',
  'slack',
  'sns',
  'sqs',
  'storageGrid',
  'stripe',
  'webhook',
] as const

/** The type keys of this version, alphabetical. */
export const types: readonly string[] = Object.keys(registry)

/** Loads one type's module, or returns null when this version does not have it. */
export async function loadSource(type: string): Promise<SourceDefinition<any, any> | null> {
  const load = Object.hasOwn(registry, type) ? registry[type] : undefined
  return load === undefined ? null : (await load()).default
}

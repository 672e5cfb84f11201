/** A Kafka bus as an EventBus object or a Pod's environment describes it. It has no lock of its own: who opens it brings one. */
import type { Bus } from '../bus/bus.ts'
import { connectKafka, SASL_MECHANISMS } from '../clients/kafka.ts'
import type { Clock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { sentSecret } from '../source/secrets.ts'
import { type TlsSpec, tlsMaterial } from '../source/tls.ts'
import type { SecretKeySelector } from '../source.ts'
import type { SecretStore } from './secrets.ts'

/** `spec.kafka` of an EventBus, as its schema has checked it. `version` and `consumerGroup` say nothing to who only writes. */
export interface KafkaSpec {
  url: string
  /** Default: `<namespace>-<eventbus>`. */
  topic?: string
  partitioner?: string
  tls?: Partial<TlsSpec>
  sasl?: { mechanism?: string; userSecret?: SecretKeySelector; passwordSecret?: SecretKeySelector }
}

export interface OpenKafkaOptions {
  /** The EventBus's. */
  namespace: string
  name: string
  spec: KafkaSpec
  secrets: SecretStore
  /** Names this process in the brokers' logs. */
  session: string
  clock: Clock
  log: Logger
}

/** Of the events. @param spec the EventBus's */
export const eventsTopic = (
  { namespace, name }: { namespace: string; name: string },
  { topic }: Pick<KafkaSpec, 'topic'>,
): string => topic || `${namespace}-${name}`

/** Connects in the background, for ever. @throws SPEC_INVALID for a login that it cannot make */
export async function openKafkaBus({
  namespace,
  name,
  spec: { url, topic, partitioner, tls, sasl },
  secrets,
  session,
  clock,
  log,
}: OpenKafkaOptions): Promise<Bus> {
  const [{ openKafka }, { partitionerOf }] = await Promise.all([
    import('../bus/kafka/bus.ts'),
    import('../bus/kafka/partitioner.ts'),
  ])
  if (sasl !== undefined && (sasl.userSecret === undefined || sasl.passwordSecret === undefined)) {
    throw fail('SPEC_INVALID', `EventBus ${name}: spec.kafka.sasl needs userSecret and passwordSecret`)
  }
  const mechanism = SASL_MECHANISMS.find((one) => one === (sasl?.mechanism || 'PLAIN'))
  if (mechanism === undefined) {
    const remedy = `write ${SASL_MECHANISMS.join(', ')}`
    throw fail(
      'SPEC_INVALID',
      `EventBus ${name}: spec.kafka.sasl.mechanism ${sasl?.mechanism} is not served: ${remedy}`,
    )
  }
  const secret = (selector: SecretKeySelector) => secrets.secret(namespace, selector)
  return openKafka({
    async connect() {
      const login =
        sasl === undefined
          ? undefined
          : {
              mechanism,
              username: await sentSecret({ secret }, sasl.userSecret!),
              password: await sentSecret({ secret }, sasl.passwordSecret!),
            }
      return await connectKafka({
        brokers: url.split(',').map((broker) => broker.trim()),
        clientId: `vedette-${session}`,
        tls: tls === undefined ? undefined : await tlsMaterial({ secret }, tls as TlsSpec),
        sasl: login,
        clock,
      })
    },
    topic: eventsTopic({ namespace, name }, { topic }),
    partitioner: partitionerOf(partitioner),
    transport: tls === undefined ? 'plain' : tls.insecureSkipVerify === true ? 'encrypted' : 'verified',
    clock,
    log,
  })
}

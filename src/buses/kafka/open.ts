/** Events on a topic of Kafka. It has no lock of its own: who opens it brings one. */
import type { Bus } from '../../bus/bus.ts'
import { openKafka } from '../../bus/kafka/bus.ts'
import { partitionerOf } from '../../bus/kafka/partitioner.ts'
import { connectKafka, SASL_MECHANISMS } from '../../clients/kafka.ts'
import { fail } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import { type TlsSpec, tlsMaterial } from '../../source/tls.ts'
import type { SecretKeySelector } from '../../source.ts'
import type { OpenOptions } from '../definition.ts'
import type { BusTls } from '../schemas.ts'
import { type KafkaBusSpec, topicOf } from './spec.ts'

/** Connects in the background, for ever. @throws SPEC_INVALID for a login that it cannot make */
export function openKafkaBus(spec: KafkaBusSpec, { namespace, name, secrets, session, clock, log }: OpenOptions): Bus {
  const { url = '', partitioner, tls, sasl } = spec
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
        tls: tls === undefined ? undefined : await tlsMaterial({ secret }, given(tls)),
        sasl: login,
        clock,
      })
    },
    topic: topicOf(spec, { namespace, name }),
    partitioner: partitionerOf(partitioner),
    transport: tls === undefined ? 'plain' : tls.insecureSkipVerify === true ? 'encrypted' : 'verified',
    clock,
    log,
  })
}

const given = (tls: BusTls): TlsSpec => ({
  ...tls,
  insecureSkipVerify: tls.insecureSkipVerify === true,
  enabled: tls.enabled === true,
})

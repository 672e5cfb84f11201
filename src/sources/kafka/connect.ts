/** A client with the entry's brokers, TLS and login; and what is wrong with it, in words. */
import { connectKafka, type KafkaClient, type SaslMechanism } from '../../clients/kafka.ts'
import { brokerCode, chain, innermost, isRefusedLogin, isUnknownTopic } from '../../clients/kafka-errors.ts'
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import type { PrepareContext } from '../../source.ts'
import { networkError } from '../shared/network-error.ts'
import { tlsMaterial } from '../shared/tls.ts'
import type { KafkaSpec } from './spec.ts'

/** @throws SECRET_MISSING, SPEC_INVALID */
export async function connect(ctx: PrepareContext<KafkaSpec>): Promise<KafkaClient> {
  const { url, tls, sasl } = ctx.spec
  const login =
    sasl?.userSecret === undefined || sasl.passwordSecret === undefined
      ? undefined
      : {
          mechanism: (sasl.mechanism || 'PLAIN') as SaslMechanism,
          username: await ctx.secret(sasl.userSecret),
          password: await ctx.secret(sasl.passwordSecret),
        }
  return await connectKafka({
    brokers: url.split(',').map((broker) => broker.trim()),
    clientId: 'vedette',
    tls: tls === undefined ? undefined : await tlsMaterial(ctx, tls),
    sasl: login,
  })
}

/** An error of the library as one of ours. */
export function described(error: unknown, { url, topic }: KafkaSpec): VedetteError {
  if (isVedetteError(error)) return error
  const say = (text: string) => fail('ORIGIN_UNAVAILABLE', `${url}: ${text}`, {}, { cause: error })
  if (isUnknownTopic(error)) return say(`topic ${topic} does not exist; make it, or write another name`)
  if (isRefusedLogin(error)) return say('authentication: the broker refuses the user or the password')
  if (brokerCode(error) !== null) return say(innermost(error))
  // The innermost says which layer failed.
  return networkError(chain(error).at(-1) ?? new Error(messageOf(error)), url)
}

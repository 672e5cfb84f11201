/** A client with the entry's brokers, TLS and login; and what is wrong with it, in words. */
import { connectKafka, type KafkaClient, type KafkaOptions, type SaslMechanism } from '../../clients/kafka.ts'
import { brokerCode, chain, innermost, isRefusedLogin, isUnknownTopic } from '../../clients/kafka-errors.ts'
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import { tlsMaterial } from '../../source/tls.ts'
import type { EntryContext } from '../../source.ts'
import { networkError } from '../connections/network-error.ts'
import { REQUEST_TIMEOUT_MS, settingsOf } from './config.ts'
import { mskTokens } from './msk.ts'
import type { KafkaSpec } from './spec.ts'

/** @throws SECRET_MISSING, SPEC_INVALID */
export async function connect(ctx: EntryContext<KafkaSpec>): Promise<KafkaClient> {
  const { url, tls, awsMskIamAuth, config } = ctx.spec
  const { clientId, connectTimeoutMs, requestTimeoutMs } = settingsOf(config)
  return await connectKafka({
    brokers: url.split(',').map((broker) => broker.trim()),
    clientId,
    connectTimeoutMs,
    requestTimeoutMs,
    // Who has written more than the default has slow brokers.
    answerMs: requestTimeoutMs > REQUEST_TIMEOUT_MS ? requestTimeoutMs : undefined,
    // MSK has no other port for this login.
    tls: tls === undefined && awsMskIamAuth === undefined ? undefined : await tlsMaterial(ctx, tls),
    sasl: await loginOf(ctx),
  })
}

async function loginOf(ctx: EntryContext<KafkaSpec>): Promise<KafkaOptions['sasl']> {
  const { sasl, awsMskIamAuth } = ctx.spec
  if (awsMskIamAuth !== undefined)
    return { mechanism: 'OAUTHBEARER', token: await mskTokens(awsMskIamAuth.region, ctx.clock) }
  if (sasl?.userSecret === undefined || sasl.passwordSecret === undefined) return undefined
  return {
    mechanism: (sasl.mechanism || 'PLAIN') as SaslMechanism,
    username: await sentSecret(ctx, sasl.userSecret),
    password: await sentSecret(ctx, sasl.passwordSecret),
  }
}

/** An error of the library as one of ours. */
export function described(error: unknown, { url, topic, awsMskIamAuth }: KafkaSpec): VedetteError {
  const ours = chain(error).find((one) => isVedetteError(one))
  if (ours !== undefined) return ours
  const say = (text: string) => fail('ORIGIN_UNAVAILABLE', `${url}: ${text}`, {}, { cause: error })
  if (isUnknownTopic(error)) return say(`topic ${topic} does not exist; make it, or write another name`)
  if (isRefusedLogin(error)) {
    const what =
      awsMskIamAuth === undefined ? 'the user or the password' : 'the AWS credentials (kafka-cluster:Connect)'
    return say(`authentication: the broker refuses ${what}`)
  }
  if (brokerCode(error) !== null) return say(innermost(error))
  // The innermost says which layer failed.
  return networkError(chain(error).at(-1) ?? new Error(messageOf(error)), url)
}

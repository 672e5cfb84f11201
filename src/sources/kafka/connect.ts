/** A client with the entry's brokers, TLS and login; and what is wrong with it, in words. */
import { connectKafka, type KafkaClient } from '../../clients/kafka.ts'
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
          mechanism: (sasl.mechanism || 'PLAIN') as 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
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
  const all = chain(error)
  const say = (text: string) => fail('ORIGIN_UNAVAILABLE', `${url}: ${text}`, {}, { cause: error })
  if (all.some((one) => one.message.startsWith('Unknown topic')))
    return say(`topic ${topic} does not exist; make it, or write another name`)
  if (all.some((one) => (one as { code?: string }).code === 'PLT_KFK_AUTHENTICATION'))
    return say('authentication: the broker refuses the user or the password')
  const refused = all.find((one) => (one as { apiId?: string }).apiId !== undefined)
  if (refused !== undefined) return say(`${refused.message} (${(refused as { apiId?: string }).apiId})`)
  // The innermost says which layer failed.
  return networkError(all.at(-1) ?? new Error(messageOf(error)), url)
}

function chain(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  const inner = error instanceof AggregateError ? error.errors : []
  return [error, ...[...inner, error.cause].flatMap(chain)]
}

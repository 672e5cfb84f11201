/** What the Kafka library's errors hold: which layer failed stands in their causes. */

/** The error, and all that lie in it. */
export function chain(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  const inner = error instanceof AggregateError ? error.errors : []
  return [error, ...[...inner, error.cause].flatMap(chain)]
}

/** The broker's error code (https://kafka.apache.org/protocol#protocol_error_codes); null: there was no answer. */
export function brokerCode(error: unknown): number | null {
  for (const one of chain(error)) {
    const { apiCode } = one as { apiCode?: unknown }
    if (typeof apiCode === 'number') return apiCode
  }
  return null
}

/** In the words of the layer that failed. */
export function innermost(error: unknown): string {
  const all = chain(error)
  const refused = all.find((one) => (one as { apiId?: string }).apiId !== undefined)
  if (refused !== undefined) return `${refused.message} (${(refused as { apiId?: string }).apiId})`
  return all.at(-1)?.message ?? String(error)
}

export const isUnknownTopic = (error: unknown): boolean =>
  brokerCode(error) === UNKNOWN_TOPIC || chain(error).some((one) => one.message.startsWith('Unknown topic'))
/** The broker has said so; the library calls it that, too, when the connection ended during the login. */
export const isRefusedLogin = (error: unknown): boolean =>
  chain(error).some(
    (one) =>
      (one as { code?: string }).code === 'PLT_KFK_AUTHENTICATION' &&
      (one.message === 'SASL authentication failed.' || brokerCode(one.cause) !== null),
  )

const UNKNOWN_TOPIC = 3

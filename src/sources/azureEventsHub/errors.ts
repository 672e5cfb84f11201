/** What is wrong with a namespace or hub, in words that say which layer: DNS, TCP, TLS, authentication, the hub. */
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import { networkError } from '../connections/network-error.ts'
import type { AzureEventsHubSpec } from './spec.ts'

/** @param error of the AMQP library (as its `translate` leaves it) or of the identity library @returns ORIGIN_UNAVAILABLE */
export function described(error: unknown, { fqdn, hubName }: AzureEventsHubSpec): VedetteError {
  if (isVedetteError(error)) return error
  const { code, name } = error as { code?: unknown; name?: unknown }
  const text = plain(messageOf(error))
  const say = (what: string) => fail('ORIGIN_UNAVAILABLE', what, {}, { cause: error })
  if (code === 'UnauthorizedError') return say(`authentication: ${fqdn} refuses the credentials: ${text}`)
  // Classes of @azure/identity.
  if (/^(AggregateAuthentication|Authentication|AuthenticationRequired|CredentialUnavailable)Error$/.test(String(name)))
    return say(`authentication: no token for ${fqdn}: ${withoutUnavailable(error) ?? text}`)
  if (code === 'MessagingEntityNotFoundError' || /\bcould not be found\b/i.test(text))
    return say(`${fqdn}: the event hub ${hubName} does not exist; make it, or write another name`)
  if (code === 'QuotaExceededError') return say(`${fqdn}: ${text} (five readers may share a partition in $Default)`)
  if (code === 'OperationTimeoutError') return say(`TCP: ${fqdn}: no answer`)
  return networkError(error instanceof Error ? Object.assign(new Error(text, { cause: error }), { code }) : error, fqdn)
}

/** Of the chain of credentials those that were there and were refused; null when none was, or it is no chain. */
function withoutUnavailable(error: unknown): string | null {
  const { errors = [] } = error as { errors?: unknown[] }
  const refused = errors.filter((one) => (one as { name?: unknown }).name !== 'CredentialUnavailableError')
  return refused.length === 0 ? null : plain(refused.map(messageOf).join('\n'))
}

/** Without what is another one each time, which would make each attempt a new condition. */
function plain(message: string): string {
  return message
    .replace(/\s*(To know more visit|Reference:|TrackingId:|Trace ID:|Correlation ID:).*$/gim, '')
    .replace(/\s*\n\s*/g, '; ')
    .slice(0, 500)
}

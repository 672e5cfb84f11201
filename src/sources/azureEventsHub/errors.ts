/** What is wrong with a namespace or hub, in words that say which layer: DNS, TCP, TLS, authentication, the hub. */
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import { networkError } from '../connections/network-error.ts'
import type { AzureEventsHubSpec } from './spec.ts'

/** @param error of the AMQP library (as its `translate` leaves it) @returns ORIGIN_UNAVAILABLE */
export function described(error: unknown, { fqdn, hubName }: AzureEventsHubSpec): VedetteError {
  if (isVedetteError(error)) return error
  const { code } = error as { code?: unknown }
  const text = plain(messageOf(error))
  const say = (what: string) => fail('ORIGIN_UNAVAILABLE', what, {}, { cause: error })
  if (code === 'UnauthorizedError') return say(`authentication: ${fqdn} refuses the credentials: ${text}`)
  if (code === 'MessagingEntityNotFoundError' || /\bcould not be found\b/i.test(text))
    return say(`${fqdn}: the event hub ${hubName} does not exist; make it, or write another name`)
  if (code === 'QuotaExceededError') return say(`${fqdn}: ${text} (five readers may share a partition in $Default)`)
  if (code === 'OperationTimeoutError') return say(`TCP: ${fqdn}: no answer`)
  return networkError(error instanceof Error ? Object.assign(new Error(text, { cause: error }), { code }) : error, fqdn)
}

/** Why Entra ID gave no token. */
export function noToken(error: unknown, { fqdn }: AzureEventsHubSpec): VedetteError {
  const text = `authentication: no token for ${fqdn}: ${plain(messageOf(error))}`
  return fail('ORIGIN_UNAVAILABLE', text, {}, { cause: error })
}

/** Without what is another one each time, which would make each attempt a new condition. */
function plain(message: string): string {
  return message
    .replace(/\s*(To know more visit|Reference:|TrackingId:|Trace ID:|Correlation ID:).*$/gim, '')
    .replace(/\s*\n\s*/g, '; ')
    .slice(0, 500)
}

/**
 * Signatures of requests, on the raw bytes. Every comparison takes the same time whatever was sent: both sides are hashed first, and
 * all accepted secrets are tried. No secret is ever part of what is returned or thrown.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { HttpRequest } from '../source.ts'

type Bytes = string | Uint8Array

/** Constant-time equality of two values of any length. */
export function sameSecret(a: Bytes, b: Bytes): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'))
}

/** True when `sent` is one of the secrets. */
export function isOneOf(sent: string, secrets: readonly string[]): boolean {
  let known = false
  for (const secret of secrets) known = sameSecret(sent, secret) || known
  return known
}

/** True when `signature` is the HMAC of `parts` (one after the other) under one of the keys. */
export function hmacMatches(
  signature: Uint8Array,
  parts: readonly Bytes[],
  keys: readonly Bytes[],
  algorithm: 'sha256' | 'sha512' = 'sha256',
): boolean {
  let matches = false
  for (const key of keys) {
    const hmac = createHmac(algorithm, key)
    for (const part of parts) hmac.update(part)
    matches = sameSecret(signature, hmac.digest()) || matches
  }
  return matches
}

/** Why a signature is not accepted; for the answer and a log line. */
export type Refused = string

/** Seconds that a signed time may lie behind our clock, and ahead of it. */
export const TOLERANCE_S = 300
export const AHEAD_S = 60

/** @returns null when a signed time (seconds since the epoch, decimal) is near enough to now */
export function checkTime(
  text: string | undefined,
  nowMs: number,
  toleranceS = TOLERANCE_S,
  aheadS = AHEAD_S,
): Refused | null {
  if (text === undefined || !/^\d{1,15}$/.test(text)) return 'the timestamp is missing or malformed'
  const ageS = nowMs / 1000 - Number(text)
  if (ageS > toleranceS) return 'the timestamp is too old'
  return ageS < -aheadS ? 'the timestamp lies in the future' : null
}

/**
 * `X-Hub-Signature` and its like (WebSub §8): `sha256=<hex of the HMAC of the body>`. Hex digits of either case; SHA-1 is no proof.
 * @param header as sent. @returns null when it is right
 */
export function checkHubSignature(
  header: string | undefined,
  body: Uint8Array,
  secrets: readonly string[],
): Refused | null {
  if (header === undefined || header === '') return 'missing signature'
  const equals = header.indexOf('=')
  if (equals < 0) return `error parsing signature ${shown(header)}`
  const algorithm = header.slice(0, equals)
  if (algorithm === 'sha1') return 'SHA-1 signatures are not accepted'
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return `unknown hash type prefix: ${shown(algorithm)}`
  const signature = fromHex(header.slice(equals + 1))
  if (signature === null) return 'error decoding signature'
  return hmacMatches(signature, [body], secrets, algorithm) ? null : 'payload signature check failed'
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 100))

/**
 * Slack's `v0` (https://docs.slack.dev/authentication/verifying-requests-from-slack): `X-Slack-Signature` is `v0=<hex of HMAC-SHA256 of
 * "v0:timestamp:body">`, and the time may lie five minutes off, either way. The answer says nothing of what was wrong.
 */
export function checkSlackSignature(
  request: Pick<HttpRequest, 'header' | 'body'>,
  secrets: readonly string[],
  nowMs: number,
): Refused | null {
  const timestamp = request.header('X-Slack-Request-Timestamp')
  const signature = fromHex((request.header('X-Slack-Signature') ?? '').replace(/^v0=/, ''))
  const timely = checkTime(timestamp, nowMs, TOLERANCE_S, TOLERANCE_S) === null
  const right = signature !== null && hmacMatches(signature, [Buffer.from(`v0:${timestamp}:`), request.body], secrets)
  return timely && right ? null : 'signature validation failed'
}

/**
 * `Stripe-Signature` (https://docs.stripe.com/webhooks#verify-manually): `t=<seconds>,v1=<hex of HMAC-SHA256 of "t.body">,…`; several `v1`
 * while a secret is being rolled. Other schemes are no proof.
 */
export function checkStripeSignature(
  request: Pick<HttpRequest, 'header' | 'body'>,
  secrets: readonly string[],
  nowMs: number,
): Refused | null {
  const items = stripeItems(request)
  const timestamp = timeIn(items)
  const timely = checkTime(timestamp, nowMs, TOLERANCE_S, TOLERANCE_S) === null
  const parts = [Buffer.from(`${timestamp}.`), request.body]
  let right = false
  for (const item of items) {
    const signature = item.startsWith('v1=') ? fromHex(item.slice(3)) : null
    if (signature !== null) right = hmacMatches(signature, parts, secrets) || right
  }
  return timely && right ? null : 'signature check failed'
}

const stripeItems = (request: Pick<HttpRequest, 'header'>): string[] =>
  (request.header('Stripe-Signature') ?? '').split(',', MOST_SIGNATURES).map((item) => item.trim())

const timeIn = (items: readonly string[]): string | undefined => items.find((item) => item.startsWith('t='))?.slice(2)

/** The signed time of a request that {@link checkStripeSignature} has let in, seconds since the epoch. */
export const stripeTime = (request: Pick<HttpRequest, 'header'>): string | undefined => timeIn(stripeItems(request))

/** Bytes of a hex text of either case, or null. */
export function fromHex(text: string): Buffer | null {
  return text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text) ? Buffer.from(text, 'hex') : null
}

/** Bytes of a base64 text with padding, or null. */
export function fromBase64(text: string): Buffer | null {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text !== ''
    ? Buffer.from(text, 'base64')
    : null
}

/** More signatures in one header than any rotation needs. */
const MOST_SIGNATURES = 16

/**
 * Standard Webhooks 1.0 (https://github.com/standard-webhooks/standard-webhooks): `webhook-signature` holds, separated by spaces,
 * `v1,<base64 of HMAC-SHA256 of "id.timestamp.body">`; a secret is base64, with or without `whsec_`.
 * @returns null when one of the signatures is right and the time near enough
 */
export function checkStandardWebhook(
  request: Pick<HttpRequest, 'header' | 'body'>,
  secrets: readonly string[],
  nowMs: number,
  toleranceS = TOLERANCE_S,
): Refused | null {
  const id = request.header('webhook-id')
  const timestamp = request.header('webhook-timestamp')
  const signatures = request.header('webhook-signature')
  if (!id || !signatures) return 'missing signature'
  const untimely = checkTime(timestamp, nowMs, toleranceS)
  if (untimely !== null) return untimely
  // The dots of `id.timestamp.body` must be the sender's: of a body that is a number the part before its dot could be given out as the time.
  if (/\.\d+$/.test(id) && /^\d/.test(request.body.subarray(0, 1).toString())) return 'the id is ambiguous'
  const keys = secrets.map(standardWebhookKey)
  const parts = [Buffer.from(`${id}.${timestamp}.`), request.body]
  let right = false
  for (const one of signatures.split(' ', MOST_SIGNATURES)) {
    const [version, text = ''] = one.split(',', 2)
    const signature = version === 'v1' ? fromBase64(text) : null
    if (signature !== null) right = hmacMatches(signature, parts, keys) || right
  }
  return right ? null : 'signature check failed'
}

/** What a request that {@link checkStandardWebhook} has let in is called, under its signature. */
export const signedName = (request: Pick<HttpRequest, 'header'>): string | undefined => request.header('webhook-id')

function standardWebhookKey(secret: string): Uint8Array {
  const encoded = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret
  // What is not base64 is taken as it stands, as the reference libraries' raw keys are.
  return fromBase64(encoded) ?? Buffer.from(secret)
}

/**
 * What SNS posts (https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html): an envelope in JSON, or with raw
 * delivery the message alone, its envelope in headers.
 */
import { fail } from '../../core/errors.ts'
import { compactJsonBytes, goJson } from '../../core/json.ts'
import { jsonMembers } from '../../core/json-slices.ts'
import type { HttpRequest } from '../../source.ts'

const FIELDS = [
  'Type',
  'MessageId',
  'Token',
  'TopicArn',
  'Subject',
  'Message',
  'SubscribeURL',
  'Timestamp',
  'SignatureVersion',
  'Signature',
  'SigningCertURL',
  'UnsubscribeURL',
] as const

export interface SnsMessage extends Record<(typeof FIELDS)[number], string> {
  /** The envelope as it goes into the payload: compact JSON, otherwise as sent. */
  json: Uint8Array
  /** Names of its members, as often as they are there. */
  names: string[]
  /** It came without an envelope, so without a signature. */
  raw: boolean
}

/** @throws EVENT_INVALID in upstream's words, where it has words for it */
export function messageOf(request: Pick<HttpRequest, 'header' | 'body'>): SnsMessage {
  return request.header('x-amz-sns-rawdelivery') === 'true' ? rawMessage(request) : envelope(request.body)
}

function envelope(body: Uint8Array): SnsMessage {
  if (body.length === 0) throw notSns()
  const json = compactJsonBytes(body)
  const text = Buffer.from(json).toString()
  const value: unknown = JSON.parse(text)
  if (value === null) throw notSns()
  if (typeof value !== 'object' || Array.isArray(value)) {
    const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
    throw malformed(`cannot unmarshal ${kind} into Go value of type awssns.httpNotification`)
  }
  const fields = FIELDS.map((name) => {
    const field: unknown = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
    if (field === undefined || field === null) return [name, '']
    if (typeof field !== 'string')
      throw malformed(`cannot unmarshal into Go struct field httpNotification.${name} of type string`)
    return [name, field]
  })
  const message: SnsMessage = {
    ...Object.fromEntries(fields),
    json,
    names: jsonMembers(text).map(([name]) => name),
    raw: false,
  }
  if (message.Timestamp !== '' && !RFC3339.test(message.Timestamp)) {
    const shown = JSON.stringify(message.Timestamp.slice(0, 100))
    throw fail(
      'EVENT_INVALID',
      `error unmarshaling JSON: while decoding JSON: parsing time ${shown} as "2006-01-02T15:04:05Z07:00": cannot parse`,
    )
  }
  return message
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
const notSns = () => fail('EVENT_INVALID', 'bad request, not a valid SNS notification')
const malformed = (what: string) => fail('EVENT_INVALID', `error unmarshaling JSON: while decoding JSON: json: ${what}`)

/** https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html: the envelope is made from the headers. */
function rawMessage(request: Pick<HttpRequest, 'header' | 'body'>): SnsMessage {
  const known = {
    Type: 'Notification',
    MessageId: request.header('x-amz-sns-message-id') ?? '',
    TopicArn: request.header('x-amz-sns-topic-arn') ?? '',
    Message: request.body.toString(),
  }
  const empty = Object.fromEntries(FIELDS.map((name) => [name, ''])) as Record<(typeof FIELDS)[number], string>
  return { ...empty, ...known, json: Buffer.from(goJson(known)), names: Object.keys(known), raw: true }
}

const SIGNED = {
  Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'],
  SubscriptionConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
} as const

/**
 * What SNS signs (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html): names and
 * values, a line each, in this order, without a subject when there is none.
 */
export function signedText(message: SnsMessage): string {
  const names = message.Type === 'Notification' ? SIGNED.Notification : SIGNED.SubscriptionConfirmation
  return names
    .filter((name) => name !== 'Subject' || message.Subject !== '')
    .map((name) => `${name}\n${message[name]}\n`)
    .join('')
}

/** A signed member that is there twice, or in another spelling too: readers of the event might take the one that is not signed. */
export function ambiguousMember({ names }: SnsMessage): string | undefined {
  const seen = new Set<string>()
  for (const name of names) {
    const folded = name.toLowerCase()
    if (!FOLDED.has(folded)) continue
    if (seen.has(folded)) return name
    seen.add(folded)
  }
  return undefined
}
const FOLDED: ReadonlySet<string> = new Set(FIELDS.map((name) => name.toLowerCase()))

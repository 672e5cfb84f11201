/** What StorageGRID posts: a form as SNS's API has it (`Action=Publish&Message=<JSON>&TopicArn=…&Version=…`), and the payload made of it. */
import { fail } from '../../core/errors.ts'
import { compactJsonBytes, goJson, goJsonOfMap } from '../../core/json.ts'
import { scanJson } from '../../core/json-scan.ts'
import { jsonItems, jsonMembers } from '../../core/json-slices.ts'
import { parseQuery } from '../../core/query.ts'
import { type GoStructs, goStructs } from '../go/struct.ts'

export interface StorageGridNotification {
  Action: string
  TopicArn: string
  Version: string
  /** Compact JSON of each record. */
  records: string[]
}

/** @returns null when the request tells of no object: a probe, or StorageGRID's test message. @throws EVENT_INVALID for a malformed form */
export function notificationOf(body: Buffer): StorageGridNotification | null {
  const { values, error } = parseQuery(body.toString('latin1'))
  const [message] = values.get('Message') ?? []
  if (message === undefined) return null
  if (error !== null) throw fail('EVENT_INVALID', error)
  const bytes = Buffer.from(message)
  if (scanJson(bytes).error !== null) return null
  const json = Buffer.from(compactJsonBytes(bytes)).toString()
  const records = json.startsWith('{') ? new Map(jsonMembers(json)).get('Records') : undefined
  if (records === undefined || !records.startsWith('[')) return null
  const field = (name: string) => values.get(name)?.[0] ?? ''
  return {
    Action: field('Action'),
    TopicArn: field('TopicArn'),
    Version: field('Version'),
    records: jsonItems(records),
  }
}

/** Amazon's S3 event (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html) as upstream keeps it. */
const RECORD = {
  Record:
    'eventVersion: string; storageGridEventSource: string; eventTime: Time; eventName: string; userIdentity: Identity; requestParameters: Parameters; responseElements: Elements; s3: S3',
  Identity: 'principalId: string',
  Parameters: 'sourceIPAddress: string',
  S3: 's3SchemaVersion: string; configurationId: string; bucket: Bucket; object: Object',
  Bucket: 'name: string; ownerIdentity: Identity; arn: string',
  Object: 'key: string; size: int; eTag: string; sequencer: string',
}

export function recordStructs(): GoStructs {
  return goStructs(RECORD, () => ({
    Time: (text) => (text === undefined || text === 'null' ? '"0001-01-01T00:00:00Z"' : time(text)),
    // The name has characters that a Go field has not.
    Elements: (text) => `{"x-amz-request-id":${goJson(member(text, 'x-amz-request-id'))}}`,
  }))
}

/** Go's RFC 3339: without zeros at the end of the fraction. */
function time(text: string): string {
  const value: unknown = JSON.parse(text)
  const [, start, fraction = '', zone] =
    (typeof value === 'string' ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(value) : null) ?? []
  if (start === undefined)
    throw fail('EVENT_INVALID', `parsing time ${text.slice(0, 60)} as "2006-01-02T15:04:05Z07:00"`)
  return goJson(`${start}${fraction.replace(/\.?0+$/, '')}${zone}`)
}

function member(json: string | undefined, ...path: string[]): string {
  let text = json
  for (const name of path) text = text?.startsWith('{') ? new Map(jsonMembers(text)).get(name) : undefined
  return text?.startsWith('"') ? (JSON.parse(text) as string) : ''
}

/** @throws EVENT_INVALID in Go's words when a record does not fit */
export function payloadOf(
  { Action, TopicArn, Version, records }: StorageGridNotification,
  structs: GoStructs,
  metadata: Record<string, string> = {},
): string {
  const encoded = records.map((record) => structs.encode('Record', withSource(record)))
  const tail = Object.keys(metadata).length === 0 ? '' : `,"metadata":${goJsonOfMap(metadata)}`
  return `{"notification":{"Action":${goJson(Action)},"Message":{"Records":[${encoded.join(',')}]},"TopicArn":${goJson(TopicArn)},"Version":${goJson(Version)}}${tail}}`
}

/** StorageGRID calls the member `eventSource`. */
function withSource(record: string): string {
  const source = member(record, 'eventSource')
  return source === '' || record === '{}'
    ? record
    : `{"storageGridEventSource":${JSON.stringify(source)},${record.slice(1)}`
}

export const keyOf = (record: string): string => member(record, 's3', 'object', 'key')

/** What happened to which state of which object: the sequencer grows with each change of a key. */
export function identityOf(record: string): string {
  const of = (...path: string[]) => member(record, ...path)
  const state = of('s3', 'object', 'sequencer') || of('responseElements', 'x-amz-request-id')
  return JSON.stringify([of('s3', 'bucket', 'name'), keyOf(record), state, of('eventName')])
}

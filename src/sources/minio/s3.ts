/**
 * The two requests of MinIO's S3 API that are needed, signed (AWS Signature Version 4): listing objects, and listening to a bucket
 * (https://min.io/docs/minio/linux/reference/minio-mc/mc-event-listen.html speaks of it; the wire is that of `ListenBucketNotification` in minio-go).
 */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { SignatureV4 } from '@smithy/signature-v4'
import type { Dispatcher } from 'undici'
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { Closable, EntryContext, SecretKeySelector } from '../../source.ts'
import { awsEscaped, Sha256 } from '../aws/signing.ts'
import { networkError } from '../connections/network-error.ts'
import { bucketOf, heardKinds, type MinioSpec } from './spec.ts'

/** An object as a listing shows it. */
export interface Listed {
  /** As it is, not encoded. */
  key: string
  /** Milliseconds since the epoch; its time of writing, without the digits after. */
  modifiedMs: number
  /** Bytes. */
  size: number
  eTag: string
}

export interface Bucket extends Closable {
  readonly where: string
  /** Is told of each page; stops when it returns false. @throws ORIGIN_UNAVAILABLE */
  list(signal: AbortSignal, page: (objects: Listed[]) => boolean, pageSize?: number): Promise<void>
  /** An object as it is now, or null. @throws ORIGIN_UNAVAILABLE */
  look(key: string, signal: AbortSignal): Promise<Listed | null>
  /** Lines of JSON from now on, keep-alives as empty ones. Ends by an error only. @throws ORIGIN_UNAVAILABLE */
  listen(signal: AbortSignal): Promise<AsyncIterable<string>>
}

/** The server says something at least this often, seconds. Its answer begins with the first of that: there is nothing to wait for before. */
const PING_S = 1
/** One that says nothing for so long is gone. */
export const SILENCE_MS = 15_000
const ANSWER_MS = 15_000
/** Upstream's limit too, bytes. */
const LONGEST_LINE = 4 * 1024 * 1024

/** @throws SECRET_MISSING */
export async function openBucket(ctx: EntryContext<MinioSpec>): Promise<Bucket> {
  const { spec, entry } = ctx
  const read = async (selector: SecretKeySelector | undefined, what: string, of = sentSecret) => {
    if (selector === undefined) return undefined
    return await of(ctx, selector).catch((error: unknown) => {
      const text = `failed to get the ${what} for event source ${entry}, ${messageOf(error)}`
      throw fail('SECRET_MISSING', text, {}, { cause: error })
    })
  }
  const accessKeyId = (await read(spec.accessKey, 'access key')) ?? ''
  const secretAccessKey = (await read(spec.secretKey, 'secret key')) ?? ''
  const ca = await read(spec.caCertificate, 'CA certificate', ({ secret }, selector) => secret(selector))
  const { Agent, request } = await import('undici')
  const dispatcher = new Agent({
    headersTimeout: ANSWER_MS,
    bodyTimeout: SILENCE_MS,
    connect: { timeout: 10_000, ...(ca === undefined ? {} : { ca }) },
  })
  const signer = new SignatureV4({
    service: 's3',
    region: spec.region || 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    sha256: Sha256,
    // S3 has paths as they are.
    uriEscapePath: false,
  })
  const protocol = spec.insecure ? 'http:' : 'https:'
  const { hostname, port } = new URL(`${protocol}//${spec.endpoint}`)
  const where = spec.endpoint
  const get = async (
    query: Record<string, string | string[]>,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> => {
    const path = `/${encodeURIComponent(bucketOf(spec))}`
    const signed = await signer.sign({
      method: 'GET',
      protocol,
      hostname,
      path,
      query,
      headers: { host: port === '' ? hostname : `${hostname}:${port}`, 'x-amz-content-sha256': EMPTY_SHA256 },
    })
    // In the order in which they are signed: the server does not sort values of one name.
    const text = Object.entries(query).flatMap(([name, value]) =>
      [value]
        .flat()
        .map((one) => `${name}=${awsEscaped(one)}`)
        .sort(),
    )
    const url = `${protocol}//${spec.endpoint}${path}?${text.join('&')}`
    try {
      const answer = await request(url, { headers: signed.headers, dispatcher, signal })
      if (answer.statusCode === 200) return answer
      throw refusal(answer.statusCode, await answer.body.text(), spec)
    } catch (error) {
      signal.throwIfAborted()
      throw isVedetteError(error) ? error : networkError(error, where)
    }
  }
  const pageOf = async (prefix: string, size: number, signal: AbortSignal, token?: string) => {
    const query: Record<string, string> = {
      'list-type': '2',
      'encoding-type': 'url',
      'max-keys': String(size),
      prefix,
      ...(token === undefined ? {} : { 'continuation-token': token }),
    }
    const answer = await get(query, signal)
    const text = await answer.body.text().catch((error: unknown) => {
      signal.throwIfAborted()
      throw networkError(error, where)
    })
    return listing(text)
  }
  return {
    where,
    close: () => dispatcher.destroy(),
    async list(signal, page, pageSize = 1_000) {
      const { prefix = '', suffix = '' } = spec.filter ?? {}
      let token: string | undefined
      do {
        const { objects, next } = await pageOf(prefix, pageSize, signal, token)
        if (!page(objects.filter(({ key }) => key.endsWith(suffix)))) return
        token = next
      } while (token !== undefined)
    },
    async look(key, signal) {
      // Of all keys that begin with it, it is the first.
      const [first] = (await pageOf(key, 1, signal)).objects
      return first?.key === key ? first : null
    },
    async listen(signal) {
      const { prefix = '', suffix = '' } = spec.filter ?? {}
      const answer = await get({ ping: String(PING_S), prefix, suffix, events: heardKinds(spec) }, signal)
      return lines(answer.body, where, signal)
    },
  }
}

/** A listing (ListObjectsV2) as the S3 API writes it, keys percent-encoded. */
export function listing(xml: string): { objects: Listed[]; next: string | undefined } {
  const objects = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, text = '']) => ({
    key: decodeURIComponent(member(text, 'Key').replaceAll('+', ' ')),
    modifiedMs: Date.parse(member(text, 'LastModified')),
    size: Number(member(text, 'Size')),
    eTag: member(text, 'ETag').replace(/^"|"$/g, ''),
  }))
  const next = member(xml, 'NextContinuationToken')
  return { objects, next: member(xml, 'IsTruncated') === 'true' && next !== '' ? next : undefined }
}

function member(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? ''
  return text.replace(/&(quot|#34|lt|gt|apos|#39|amp);/g, (_, name: string) => ENTITIES[name]!)
}
const ENTITIES: Readonly<Record<string, string>> = {
  quot: '"',
  '#34': '"',
  lt: '<',
  gt: '>',
  apos: "'",
  '#39': "'",
  amp: '&',
}

async function* lines(body: Readable, where: string, signal: AbortSignal): AsyncIterable<string> {
  let rest = ''
  try {
    body.setEncoding('utf8')
    for await (const chunk of body as AsyncIterable<string>) {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop()!
      yield* parts
      if (rest.length > LONGEST_LINE) throw fail('ORIGIN_UNAVAILABLE', `${where}: a line of more than 4 MiB`)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (isVedetteError(error)) throw error
    const silent = (error as { code?: unknown }).code === 'UND_ERR_BODY_TIMEOUT'
    if (silent) throw fail('ORIGIN_UNAVAILABLE', `${where}: connected but silent for ${SILENCE_MS / 1000} s`)
    throw networkError(error, where)
  }
  throw fail('ORIGIN_UNAVAILABLE', `${where}: the server has ended the stream of notifications`)
}

/** Errors of the S3 API: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
function refusal(status: number, body: string, spec: MinioSpec) {
  const code = member(body, 'Code')
  const message = member(body, 'Message').slice(0, 200)
  const what = `${spec.endpoint}: bucket ${bucketOf(spec)}: the server answers ${status}${code === '' ? '' : ` ${code}: ${message}`}`
  return fail('ORIGIN_UNAVAILABLE', status === 401 || status === 403 ? `authentication: ${what}` : what)
}

const EMPTY_SHA256 = createHash('sha256').digest('hex')

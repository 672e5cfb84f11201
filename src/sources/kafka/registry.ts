/**
 * The schemas of a registry with Confluent's API (https://docs.confluent.io/platform/current/schema-registry/develop/api.html), and which of
 * them a value is written with: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format.
 */
import { retryForEver } from '../../core/backoff.ts'
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import { createGate } from '../../core/gate.ts'
import type { EntryContext } from '../../source.ts'
import { readBasicAuth } from '../connections/basic-auth.ts'
import { restTls } from '../hooks/fields.ts'
import { createRest, type Rest } from '../http/rest.ts'
import { type AvroDecoder, avroDecoder } from './avro.ts'
import type { RegistrySpec } from './spec.ts'

export interface SchemaRegistry {
  /**
   * Makes the body of this value; or resolves when there is more to say about it (never rejects). What can never have a body gets one that
   * throws EVENT_INVALID.
   */
  decoderOf(value: Uint8Array): AvroDecoder | Promise<void>
  /** Why values wait, and since when; null: none does. */
  trouble(): string | null
}

/** A zero, the id in four bytes, the highest first, and the value. */
const HEADER_BYTES = 5
/** What is known of so many ids is kept; of more it is asked anew. */
const MOST_SCHEMAS = 1_000
/** A registry that follows another may not have heard of a new schema yet: so often it must say that there is none. */
const DENIALS = 3
/** Then it is believed for so long, and a value with that id is no event. */
const DENIED_MS = 60_000
/** Ids stand in messages, so whoever may write to the topic can name any. */
const ASKED_AT_ONCE = 4
const PAUSES = { firstMs: 500, maxMs: 10_000 }
/** `error_code` of an answer 404: no schema has this id. Other answers 404 are of a server that is no registry. */
const SCHEMA_NOT_FOUND = 40403
/** More of them is no schema that somebody wrote. */
const MOST_REFERENCES = 200

const HINTS: Readonly<Record<number, string>> = {
  401: ' (are the user and the password of schemaRegistry.auth right?)',
  403: ' (the user may not read schemas)',
  404: ' (does schemaRegistry.url lead to a registry?)',
}

interface Known {
  decoder: AvroDecoder | null
  settled: Promise<void>
  /** Monotonic milliseconds. */
  untilMs: number
}

/** @param signal ends all asking */
export function schemaRegistry(
  ctx: Pick<EntryContext, 'secret' | 'clock'>,
  spec: RegistrySpec,
  signal: AbortSignal,
): SchemaRegistry {
  const { clock } = ctx
  const known = new Map<number, Known>()
  /** What went wrong when last it was asked for the schemas that are waited for. */
  const faults = new Map<number, string>()
  let faultySince = 0
  const gate = createGate(ASKED_AT_ONCE, Number.POSITIVE_INFINITY)

  const ask = (id: number): Known => {
    const entry: Known = { decoder: null, settled: Promise.resolve(), untilMs: Number.POSITIVE_INFINITY }
    let denials = 0
    const look = async (): Promise<AvroDecoder> => {
      try {
        return await gate.through(async () => readSchema(await connect(ctx, spec), id, signal))!
      } catch (error) {
        const denied = isVedetteError(error) && error.details.errorCode === SCHEMA_NOT_FOUND
        if (denied && ++denials === DENIALS) return never(fail('EVENT_INVALID', `the registry has no schema ${id}`))
        if (isVedetteError(error, 'EVENT_INVALID')) return never(error)
        throw error
      }
    }
    const onError = (error: unknown) => {
      if (faults.size === 0) faultySince = clock.now()
      const text = messageOf(error)
      // Argo Events does not verify it, so this may be the first to say so.
      const remedy = /certificate/i.test(text) ? ' (name its authority in schemaRegistry.tls.caCertSecret)' : ''
      faults.set(id, `${text}${remedy}`)
    }
    entry.settled = retryForEver(look, { clock, signal, onError, ...PAUSES })
      .then(
        (decoder) => {
          entry.decoder = decoder
          if (denials === DENIALS) entry.untilMs = clock.monotonic() + DENIED_MS
        },
        // Aborted.
        () => {},
      )
      .finally(() => faults.delete(id))
    known.set(id, entry)
    return entry
  }

  const forget = (): void => {
    // First what was denied, which may be any number, then the oldest.
    for (const denied of [true, false]) {
      for (const [id, { decoder, untilMs }] of known) {
        if (known.size < MOST_SCHEMAS) return
        if (decoder !== null && (untilMs !== Number.POSITIVE_INFINITY || !denied)) known.delete(id)
      }
    }
  }

  return {
    decoderOf(value) {
      if (value.length < HEADER_BYTES || value[0] !== 0) {
        const text = `the value is no Avro with the id of a schema: it has ${value.length} bytes and does not begin with 0 and four bytes of an id`
        return never(fail('EVENT_INVALID', text))
      }
      const id = new DataView(value.buffer, value.byteOffset).getUint32(1)
      let entry = known.get(id)
      if (entry === undefined || entry.untilMs <= clock.monotonic()) {
        forget()
        entry = ask(id)
      }
      const { decoder, settled } = entry
      return decoder === null ? settled : (whole) => decoder(whole.subarray(HEADER_BYTES))
    },
    trouble() {
      const [fault] = faults
      if (fault === undefined) return null
      const [id, text] = fault
      return `schema registry: ${text}; messages with schema ${id} wait since ${new Date(faultySince).toISOString()}`
    },
  }
}

const never =
  (error: VedetteError): AvroDecoder =>
  () => {
    throw error
  }

/** Secrets are read anew with each attempt. @throws SECRET_MISSING, SPEC_INVALID */
async function connect(ctx: Pick<EntryContext, 'secret' | 'clock'>, spec: RegistrySpec): Promise<Rest> {
  const given = await readBasicAuth(ctx, spec.auth)
  const { base, login } = withoutLogin(spec.url)
  const { username, password } = given ?? login
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  return await createRest({
    base,
    headers: username === '' && password === '' ? {} : { authorization },
    clock: ctx.clock,
    tls: await restTls(ctx, spec.tls),
    hints: HINTS,
  })
}

/** Go's client logs in with what a URL has before its host, and so do we; messages show the rest. */
function withoutLogin(text: string): { base: string; login: { username: string; password: string } } {
  const url = URL.parse(text)
  if (url === null) return { base: text, login: { username: '', password: '' } }
  const login = { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  url.username = url.password = ''
  return { base: url.href, login }
}

interface Answer {
  schema: string
  schemaType: string
  references: { subject: string; version: number }[]
}

/** @throws EVENT_INVALID when it is no schema of Avro; ORIGIN_UNAVAILABLE */
async function readSchema(rest: Rest, id: number, signal: AbortSignal): Promise<AvroDecoder> {
  const texts: string[] = []
  const seen = new Set<string>()
  const read = async (path: string): Promise<void> => {
    const { schema, schemaType, references } = answerOf((await rest.call('GET', path, signal)).body)
    if (schemaType !== 'AVRO') throw fail('EVENT_INVALID', `schema ${id} is ${schemaType}; only Avro is read`)
    for (const { subject, version } of references) {
      // A deleted version is still what was referred to.
      const reference = `/subjects/${encodeURIComponent(subject)}/versions/${encodeURIComponent(version)}?deleted=true`
      if (seen.has(reference)) continue
      seen.add(reference)
      if (seen.size > MOST_REFERENCES)
        throw fail('EVENT_INVALID', `schema ${id} refers to more than ${MOST_REFERENCES}`)
      await read(reference)
    }
    texts.push(schema)
  }
  await read(`/schemas/ids/${id}`)
  return await avroDecoder(texts.pop()!, texts).catch((error: unknown) => {
    throw fail('EVENT_INVALID', `schema ${id}: ${messageOf(error)}`, {}, { cause: error })
  })
}

/** @throws ORIGIN_UNAVAILABLE when it is no answer of a registry */
function answerOf(body: unknown): Answer {
  const { schema, schemaType = 'AVRO', references = [] } = (body ?? {}) as Partial<Answer>
  if (typeof schema !== 'string' || !Array.isArray(references))
    throw fail('ORIGIN_UNAVAILABLE', 'the answer has no schema: does schemaRegistry.url lead to a registry?')
  return { schema, schemaType, references }
}

/**
 * A key/value bucket of NATS (ADR-8: stream `KV_<bucket>`, subjects `$KV.<bucket>.<key>`), read from its leader, so that who wrote
 * something also reads it. Other clients see an ordinary bucket.
 */
import type { JetStreamManager } from '@nats-io/jetstream'
import { fail, messageOf } from '../core/errors.ts'
import type { Acks, Headers, PubAck } from './nats-acks.ts'

export interface NatsKv {
  /** @throws BUS_UNAVAILABLE */
  get(key: string): Promise<{ value: Uint8Array; revision: number } | null>
  /**
   * @param expected the revision it must have; 0: must not exist; left out: whatever
   * @returns the new revision, or null when it had another
   * @throws BUS_UNAVAILABLE, BUS_FULL, VALUE_TOO_LARGE certainly not written; OUTCOME_UNKNOWN it may have been
   */
  put(key: string, value: Uint8Array, expected?: number): Promise<number | null>
  /** @throws as {@link put} */
  delete(key: string): Promise<void>
  /**
   * Removes all keys `<key>.<part>.…` whose part is `unwanted`, and leaves no marks of them (`delete` does).
   * @throws BUS_UNAVAILABLE
   */
  purge(key: string, unwanted: (part: string) => boolean): Promise<void>
}

export interface KvParts {
  acks: Acks
  jsm: JetStreamManager
}

const WRONG_SEQUENCE = new Set([10071, 10164])
const TOO_LARGE = 10054
const NO_MESSAGE = 10037

/** Makes the bucket unless there is one. @throws what the server said */
export async function ensureBucket(jsm: JetStreamManager, bucket: string, replicas: number): Promise<void> {
  const stream = `KV_${bucket}`
  try {
    await jsm.streams.info(stream)
    return
  } catch (error) {
    if (!/stream not found/i.test(messageOf(error))) throw error
  }
  await jsm.streams.add({
    name: stream,
    subjects: [`$KV.${bucket}.>`],
    max_msgs_per_subject: 1,
    num_replicas: replicas,
    discard: 'new',
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
  } as Parameters<JetStreamManager['streams']['add']>[0])
}

/** @param parts the connection as it is now; throws BUS_UNAVAILABLE while there is none */
export function natsKv(bucket: string, parts: () => KvParts): NatsKv {
  const subjectOf = (key: string) => `$KV.${bucket}.${safeKey(key)}`

  const read = async (key: string): Promise<{ value: Uint8Array; revision: number; deleted: boolean } | null> => {
    try {
      const found = await parts().jsm.streams.getMessage(`KV_${bucket}`, { last_by_subj: subjectOf(key) })
      if (found === null) return null
      return { value: found.data, revision: found.seq, deleted: found.header.get('KV-Operation') !== '' }
    } catch (error) {
      if ((error as { code?: number }).code === NO_MESSAGE) return null
      throw fail('BUS_UNAVAILABLE', `the bucket ${bucket} does not answer: ${messageOf(error)}`, {}, { cause: error })
    }
  }

  const write = async (key: string, value: Uint8Array, headers: Headers): Promise<number | null> => {
    const ack = await parts().acks.request(subjectOf(key), value, headers)
    if (ack.error === undefined) return ack.seq
    if (WRONG_SEQUENCE.has(ack.error.err_code)) return null
    throw refused(bucket, ack.error)
  }

  return {
    async get(key) {
      const found = await read(key)
      return found === null || found.deleted ? null : { value: found.value, revision: found.revision }
    },
    async put(key, value, expected) {
      if (expected === undefined) return await write(key, value, {})
      const revision = await write(key, value, { 'Nats-Expected-Last-Subject-Sequence': expected })
      if (revision !== null || expected !== 0) return revision
      // What was deleted left a mark, which is the revision to build on.
      const mark = await read(key)
      if (mark === null || !mark.deleted) return null
      return await write(key, value, { 'Nats-Expected-Last-Subject-Sequence': mark.revision })
    },
    async delete(key) {
      await write(key, new Uint8Array(), { 'KV-Operation': 'DEL' })
    },
    async purge(key, unwanted) {
      const { jsm } = parts()
      const stream = `KV_${bucket}`
      const above = `${subjectOf(key)}.`
      try {
        const { state } = await jsm.streams.info(stream, { subjects_filter: `${above}>` })
        const found = Object.keys(state.subjects ?? {}).map((subject) => subject.slice(above.length).split('.', 1)[0]!)
        for (const part of new Set(found.filter(unwanted))) {
          await jsm.streams.purge(stream, { filter: `${above}${part}.>` })
        }
      } catch (error) {
        throw fail(
          'BUS_UNAVAILABLE',
          `the bucket ${bucket} cannot be purged: ${messageOf(error)}`,
          {},
          { cause: error },
        )
      }
    },
  }
}

function refused(bucket: string, { err_code, description }: NonNullable<PubAck['error']>) {
  if (err_code === TOO_LARGE) return fail('VALUE_TOO_LARGE', `the bucket ${bucket} refused it: ${description}`)
  const full = /maximum|exceed|insufficient/i.test(description)
  return fail(full ? 'BUS_FULL' : 'BUS_UNAVAILABLE', `the bucket ${bucket}: ${description} (${err_code})`)
}

/** Keys are made of `-/_=.` and ASCII letters and digits; whatever else there is becomes `=XX`. */
export function safeKey(text: string): string {
  const safe = text
    .toWellFormed()
    .replace(/[^-/_a-zA-Z0-9.]/gu, (c) =>
      [...Buffer.from(c)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join(''),
    )
  return safe.replace(/^\.|\.$|\.(?=\.)/g, '=2e')
}

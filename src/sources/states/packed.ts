/** Snapshots: JSON, compressed. */
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { fail } from '../../core/errors.ts'

const zip = promisify(gzip)
const unzip = promisify(gunzip)
/** What unpacks to more is none of ours, bytes. */
const LARGEST = 256 * 2 ** 20

/** @throws VALUE_TOO_LARGE for what could not be unpacked again */
export async function packed(value: unknown): Promise<Uint8Array> {
  const text = Buffer.from(JSON.stringify(value))
  if (text.length > LARGEST)
    throw fail('VALUE_TOO_LARGE', `the snapshot has ${text.length} bytes unpacked, more than ${LARGEST}`)
  return await zip(text, { level: 1 })
}

/** Null when there is nothing, or nothing that can be read. */
export async function unpacked(bytes: Uint8Array | null): Promise<unknown> {
  if (bytes === null) return null
  try {
    return JSON.parse((await unzip(bytes, { maxOutputLength: LARGEST })).toString())
  } catch {
    return null
  }
}

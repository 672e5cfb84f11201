/** Snapshots: JSON, compressed. */
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

const zip = promisify(gzip)
const unzip = promisify(gunzip)
/** What unpacks to more is none of ours, bytes. */
const LARGEST = 256 * 2 ** 20

export async function packed(value: unknown): Promise<Uint8Array> {
  return await zip(JSON.stringify(value), { level: 1 })
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

/** Keys as lmdb-js writes them. It exports these two, but its types do not tell of them. */
import * as lmdb from 'lmdb'
import type { Key } from './survey.ts'

const { keyValueToBuffer, bufferToKeyValue } = lmdb as unknown as {
  keyValueToBuffer(key: Key): Buffer
  bufferToKeyValue(bytes: Buffer): unknown
}

export const encodeKey = (key: Key): Buffer => keyValueToBuffer(key)

/** Null when it is none. */
export function decodeKey(bytes: Buffer): unknown {
  try {
    return bufferToKeyValue(bytes)
  } catch {
    return null
  }
}

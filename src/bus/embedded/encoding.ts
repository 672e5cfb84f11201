/** How records lie in the store: a checksum over a msgpack array, so that a damaged one is noticed and its neighbours are not. */
import { crc32 } from 'node:zlib'
import { Packr } from 'msgpackr'
import { fail } from '../../core/errors.ts'
import type { LogRecord } from './tables.ts'

/** Plain msgpack, no shared structures: each value can be read on its own, by any later version. */
const packr = new Packr({ useRecords: false })

/** The way back from a damaged store, for messages. */
export const REPAIR_HINT = 'stop it and run `vedette doctor --repair`, which saves every readable record'

/** 4 bytes CRC-32 (IEEE, big endian) of what follows, then msgpack. */
export function encodeValue(value: unknown): Buffer {
  const body = packr.pack(value)
  const bytes = Buffer.allocUnsafe(4 + body.byteLength)
  bytes.writeUInt32BE(crc32(body), 0)
  bytes.set(body, 4)
  return bytes
}

/** @throws STORE_CORRUPT @param where names the value in the message */
export function decodeValue(bytes: Buffer, where: string): unknown {
  if (bytes.byteLength < 5) throw corrupt(where, `it has ${bytes.byteLength} bytes`)
  const body = bytes.subarray(4)
  if (bytes.readUInt32BE(0) !== crc32(body)) throw corrupt(where, 'its checksum is wrong')
  try {
    return packr.unpack(body)
  } catch (error) {
    throw corrupt(where, `it cannot be decoded: ${String(error)}`)
  }
}

/** The sequence number stands in the record too, so that it can be told without its key. */
export function encodeRecord(seq: number, record: LogRecord): Buffer {
  const { timeMs, namespace, eventSource, entry, id, sourceId, term, previous, event } = record
  return encodeValue([seq, timeMs, namespace, eventSource, entry, id, sourceId ?? null, term ?? null, previous, event])
}

/** @throws STORE_CORRUPT */
export function decodeRecord(bytes: Buffer, seq: number): LogRecord {
  const fields = decodeValue(bytes, `record ${seq}`)
  if (!Array.isArray(fields) || fields.length < 10 || fields[0] !== seq || !(fields[9] instanceof Uint8Array)) {
    throw corrupt(`record ${seq}`, 'it has not the fields of a record')
  }
  const [, timeMs, namespace, eventSource, entry, id, sourceId, term, previous, event] = fields
  return {
    timeMs,
    namespace,
    eventSource,
    entry,
    id,
    sourceId: sourceId ?? undefined,
    term: term ?? undefined,
    previous,
    event,
  }
}

function corrupt(where: string, why: string) {
  return fail('STORE_CORRUPT', `${where} in the store is damaged: ${why}; ${REPAIR_HINT}`, { where })
}

/** The compressions that Pulsar's producers use: one block, whose size is known. */
import { constants, inflateSync, zstdDecompressSync } from 'node:zlib'

/** @param size bytes that come out. @throws Error when the block is broken, or larger than it says */
export function decompress(kind: number, block: Uint8Array, size: number): Uint8Array {
  switch (kind) {
    case 0:
      return block
    case 1:
      return exactly(lz4(block, size), size)
    case 2:
      // Java's producers flush their stream and leave it open.
      return exactly(
        inflateSync(block, { maxOutputLength: Math.max(1, size), finishFlush: constants.Z_SYNC_FLUSH }),
        size,
      )
    case 3:
      return exactly(zstdDecompressSync(block, { maxOutputLength: Math.max(1, size) }), size)
    case 4:
      return exactly(snappy(block, size), size)
    default:
      throw new Error(`compression ${kind} is not known`)
  }
}

function exactly(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw new Error(`${bytes.length} bytes came out, not ${size}`)
  return bytes
}

/** Takes literals and copies one after the other; both may overlap nothing but what is there already. */
function builder(block: Uint8Array, size: number) {
  const out = new Uint8Array(size)
  let at = 0
  const need = (holds: boolean) => {
    if (!holds) throw new Error('the compressed block is broken')
  }
  return {
    need,
    literal(from: number, length: number) {
      need(from + length <= block.length && at + length <= size)
      out.set(block.subarray(from, from + length), at)
      at += length
    },
    copy(distance: number, length: number) {
      need(distance > 0 && distance <= at && at + length <= size)
      for (let i = 0; i < length; i++, at++) out[at] = out[at - distance]!
    },
    done: () => out.subarray(0, at),
  }
}

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
function lz4(block: Uint8Array, size: number): Uint8Array {
  const { need, literal, copy, done } = builder(block, size)
  let at = 0
  const extended = (length: number): number => {
    if (length < 15) return length
    for (let byte = 255; byte === 255; length += byte) {
      need(at < block.length)
      byte = block[at++]!
    }
    return length
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = extended(token >> 4)
    literal(at, literals)
    at += literals
    if (at === block.length) break
    need(at + 2 <= block.length)
    const distance = block[at]! | (block[at + 1]! << 8)
    at += 2
    copy(distance, extended(token & 15) + 4)
  }
  return done()
}

/** https://github.com/google/snappy/blob/main/format_description.txt */
function snappy(block: Uint8Array, size: number): Uint8Array {
  const { need, literal, copy, done } = builder(block, size)
  let at = 0
  const little = (bytes: number): number => {
    need(at + bytes <= block.length)
    let value = 0
    for (let i = 0; i < bytes; i++) value += block[at++]! * 2 ** (8 * i)
    return value
  }
  // The size stands before; it is known already.
  while (little(1) >= 128);
  while (at < block.length) {
    const tag = block[at++]!
    const kind = tag & 3
    if (kind === 0) {
      const short = tag >> 2
      const length = (short < 60 ? short : little(short - 59)) + 1
      literal(at, length)
      at += length
    } else if (kind === 1) {
      const distance = ((tag >> 5) << 8) | little(1)
      copy(distance, ((tag >> 2) & 7) + 4)
    } else copy(little(kind === 2 ? 2 : 4), (tag >> 2) + 1)
  }
  return done()
}

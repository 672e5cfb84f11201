import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, zstdCompressSync } from 'node:zlib'
import { decompress } from './decompress.ts'

test('compressions: what comes out, and what is broken', () => {
  const text = Buffer.from('abcabcabcabcabcabcX')
  // Literals abc, a copy of 15 bytes from 3 back, the literal X.
  const lz4 = Buffer.from([0x3b, ...Buffer.from('abc'), 3, 0, 0x10, 0x58])
  const snappy = Buffer.from([19, 2 << 2, ...Buffer.from('abc'), (14 << 2) | 2, 3, 0, 0, 0x58])
  for (const [kind, block] of [
    [0, text],
    [1, lz4],
    [2, deflateSync(text)],
    [3, zstdCompressSync(text)],
    [4, snappy],
  ] as const) {
    assert.equal(Buffer.from(decompress(kind, block, text.length)).toString(), text.toString())
    if (kind === 0) continue
    assert.throws(() => decompress(kind, block, text.length - 1))
    assert.throws(() => decompress(kind, block, text.length + 1))
    assert.throws(() => decompress(kind, block.subarray(0, 3), text.length))
  }
  assert.throws(() => decompress(9, text, text.length), /compression 9 is not known/)
})

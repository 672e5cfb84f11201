import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { displayName, escapedName, type FileState, movedTo, pack, sameFile, unpack } from './table.ts'

const file = (more: Partial<FileState> = {}): FileState => ({
  ino: 7n,
  size: 1,
  mtimeNs: 10n,
  ctimeNs: 10n,
  btimeNs: 5n,
  mode: 0o100644,
  ...more,
})

test('packed states come back, however big, old or hostile their numbers', () => {
  const big = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
  const members = {
    ino: big,
    size: fc.nat(Number.MAX_SAFE_INTEGER),
    mtimeNs: big,
    ctimeNs: big,
    btimeNs: big,
    mode: fc.nat(0o177777),
  }
  const state = fc.record(members, { noNullPrototype: true })
  fc.assert(
    fc.property(state, (one) => assert.deepEqual(unpack(JSON.parse(JSON.stringify(pack(one)))), one)),
    { numRuns: 300 },
  )
})

test('different names have different escapes, without blanks or control characters', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 12 }).map((b) => Buffer.from(b).toString('latin1'))
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.match(escapedName(a), /^[\x21-\x7e]+$/)
      assert.equal(escapedName(a) === escapedName(b), a === b)
    }),
  )
})

test('names are told as UTF-8', () => {
  assert.equal(displayName(Buffer.from('grüße').toString('latin1')), 'grüße')
  assert.equal(displayName('a\u00ff'), 'a\ufffd')
})

test('the same file: by inode and time of creation; a renumbered inode with all else equal does not count', () => {
  assert.equal(sameFile(file(), file({ size: 2, mtimeNs: 11n })), true)
  assert.equal(sameFile(file(), file({ btimeNs: 9n, mtimeNs: 11n })), false, 'a reused inode')
  assert.equal(sameFile(file(), file({ btimeNs: 0n, mtimeNs: 11n })), true, 'no time of creation known')
  assert.equal(sameFile(file(), file({ ino: 8n })), true, 'renumbered')
  assert.equal(sameFile(file(), file({ ino: 8n, ctimeNs: 11n })), false, 'replaced')
  assert.equal(sameFile(file(), file({ ino: 8n, btimeNs: 9n })), false, 'replaced within one tick of the clock')
  assert.equal(sameFile(file(), file({ mode: 0o040755 })), false, 'another kind')
})

test('a moved file: without a time of creation only with the same content', () => {
  assert.equal(movedTo(file(), file({ mtimeNs: 11n, ctimeNs: 11n })), true)
  assert.equal(movedTo(file(), file({ btimeNs: 6n })), false)
  assert.equal(movedTo(file({ btimeNs: 0n }), file({ btimeNs: 0n, ctimeNs: 11n })), true)
  assert.equal(movedTo(file({ btimeNs: 0n }), file({ btimeNs: 0n, mtimeNs: 11n })), false)
  assert.equal(movedTo(file(), file({ ino: 8n })), false)
})

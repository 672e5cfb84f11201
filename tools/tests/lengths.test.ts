import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filesOf, lengthOf } from './lengths.ts'

test('the short length leaves out what kills and attacks; the others leave out nothing', () => {
  const files = [
    'src/core/json.test.ts',
    'test/faults/nsq.test.ts',
    'test/image.test.ts',
    'test/contract/source.test.ts',
  ]
  assert.deepEqual(filesOf('short', files), ['src/core/json.test.ts', 'test/contract/source.test.ts'])
  for (const length of ['whole', 'full'] as const) assert.deepEqual(filesOf(length, files), files)
})

test('the length is the one that is named, else what the environment says, else short', () => {
  assert.equal(lengthOf('whole', { VEDETTE_FULL: '1' }), 'whole')
  assert.equal(lengthOf(undefined, { CI: 'true', VEDETTE_FULL: '1' }), 'full')
  assert.equal(lengthOf(undefined, { CI: 'true' }), 'whole')
  assert.equal(lengthOf(undefined, {}), 'short')
  assert.throws(() => lengthOf('long', {}), /there is no length long: short, whole, full/)
})

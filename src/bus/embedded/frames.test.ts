import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { isVedetteError } from '../../core/errors.ts'
import { encodeFrame, frameReader, MAX_FRAME_BYTES } from './frames.ts'

suite('frames', () => {
  test('whatever is sent arrives, however the stream is cut', () => {
    // msgpackr renames this one member, so that nobody's prototype is replaced.
    const key = fc.string().filter((text) => text !== '__proto__')
    const value = fc.oneof(fc.string(), fc.integer(), fc.array(fc.string()), fc.dictionary(key, fc.integer()))
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (values, cuts) => {
          const stream = Buffer.concat(values.map((one) => encodeFrame([1, one])))
          const got: unknown[] = []
          const feed = frameReader((frame) => got.push((frame as unknown[])[1]))
          for (let at = 0, i = 0; at < stream.byteLength; i++) {
            const size = cuts[i % cuts.length]!
            feed(Buffer.from(stream.subarray(at, at + size)))
            at += size
          }
          assert.equal(JSON.stringify(got), JSON.stringify(values))
        },
      ),
    )
  })

  test('garbage is refused with BUG or waits for more, never anything else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        const feed = frameReader(() => {})
        try {
          for (const chunk of chunks) feed(Buffer.from(chunk))
        } catch (error) {
          assert.ok(isVedetteError(error, 'BUG'), String(error))
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a length beyond the limit is refused before its bytes come', () => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(MAX_FRAME_BYTES + 1)
    assert.throws(
      () => frameReader(() => {})(head),
      (error) => isVedetteError(error, 'BUG'),
    )
  })
})

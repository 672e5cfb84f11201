/** Avro as goavro prints it (test/golden/avro-vectors.jsonl, made by avro-vectors.ts beside it), and what nobody meant to send. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isVedetteError } from '../../core/errors.ts'
import { avroDecoder } from './avro.ts'

const vectors = readFileSync(new URL('../../../test/golden/avro-vectors.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { schema: string; hex: string; body: string | null })

const decode = async (schema: unknown, bytes: Uint8Array) => (await avroDecoder(JSON.stringify(schema)))(bytes)
const hex = (text: string) => Buffer.from(text, 'hex')
const invalid = (error: unknown) => isVedetteError(error, 'EVENT_INVALID')

test(`${vectors.length} values are written as goavro writes them, or refused where it refuses them`, async () => {
  assert.ok(vectors.length > 100)
  for (const { schema, hex: bytes, body } of vectors) {
    const decoder = await avroDecoder(schema)
    if (body === null) assert.throws(() => decoder(hex(bytes)), invalid, `${schema} ${bytes}`)
    else assert.equal(decoder(hex(bytes)), body, `${schema} ${bytes}`)
  }
})

test('a schema refers to types of other schemas; mistakes in defaults and aliases do not matter to who reads', async () => {
  const address = { type: 'record', name: 'Address', namespace: 'shop', fields: [{ name: 'city', type: 'string' }] }
  const person = {
    type: 'record',
    name: 'Person',
    namespace: 'shop',
    aliases: ['not a name'],
    fields: [
      { name: 'home', type: ['null', 'Address'], default: 'not null' },
      { name: 'age', type: 'int', default: 'old' },
    ],
  }
  const decoder = await avroDecoder(JSON.stringify(person), [JSON.stringify(address)])
  assert.equal(decoder(hex('020652696f54')), '{"home":{"shop.Address":{"city":"Rio"}},"age":42}')
  await assert.rejects(avroDecoder(JSON.stringify(person)), /its schema is no Avro schema: .*Address/)
  for (const text of ['', '{', '{"type":"nothing"}', '{"type":"record","name":"a-b","fields":[]}'])
    await assert.rejects(avroDecoder(text), invalid)
})

test('a few bytes that claim to be huge, endless or deep are refused, and cost little', async () => {
  const many = `${'80'.repeat(5)}20` // 2^39
  const empty = { type: 'record', name: 'E', fields: [] }
  for (const items of ['null', empty, { type: 'fixed', name: 'F', size: 0 }])
    await assert.rejects(decode({ type: 'array', items }, hex(many)), /items are more than the value can have/)
  const long = { type: 'record', name: 'L', fields: [{ name: 'n'.repeat(100_000), type: 'int' }] }
  await assert.rejects(decode({ type: 'array', items: long }, Buffer.alloc(1_000, 2)), /longer than \d+ characters/)
  for (const schema of ['string', 'bytes', { type: 'map', values: 'int' }, { type: 'array', items: 'boolean' }])
    await assert.rejects(decode(schema, hex(many)), invalid)
  await assert.rejects(decode({ type: 'fixed', name: 'F', size: 2 ** 30 }, hex('00')), /cut off/)
  const self = { type: 'record', name: 'S', fields: [{ name: 's', type: 'S' }] }
  await assert.rejects(decode(self, hex('')), /nested deeper than 1000/)
  const list = { type: 'record', name: 'L', fields: [{ name: 'n', type: ['null', 'L'] }] }
  await assert.rejects(decode(list, Buffer.alloc(1 << 20, 2)), /nested deeper than 1000/)
  assert.match(await decode(list, hex(`${'02'.repeat(400)}00`)), /^(\{"n":\{"L":){400}\{"n":null\}/)
  const nested = Array.from({ length: 20_000 }).reduce<string>((inner) => `{"type":"array","items":${inner}}`, '"int"')
  await assert.rejects(avroDecoder(nested), invalid)
})

test('bytes by chance become JSON or are refused, and nothing else happens', async () => {
  const schema = JSON.stringify({
    type: 'record',
    name: 'All',
    fields: [
      {
        name: 'u',
        type: ['null', 'string', 'All', { type: 'array', items: 'double' }, { type: 'map', values: 'float' }],
      },
      { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
      { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A', 'B'] } },
    ],
  })
  const decoder = await avroDecoder(schema)
  let whole = 0
  for (let i = 0; i < 5_000; i++) {
    const bytes = randomBytes(40).map((byte) => (byte < 160 ? byte % 9 : byte))
    try {
      JSON.parse(decoder(bytes))
      whole++
    } catch (error) {
      assert.ok(invalid(error), `${error} of ${Buffer.from(bytes).toString('hex')}`)
    }
  }
  assert.ok(whole > 10, `${whole} of 5000`)
})

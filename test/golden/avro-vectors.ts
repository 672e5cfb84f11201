/**
 * Makes `avro-vectors.jsonl`: what goavro, which Argo Events decodes Avro with, makes of bytes, and Go's `encoding/json` of that. goavro
 * writes the members of a record in an order that changes from run to run, so it is asked until it gives them in that of the schema.
 * Run it by `node test/golden/avro-vectors.ts > test/golden/avro-vectors.jsonl`; it needs Go and its module proxy.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import avsc from 'avsc'
import { avroDecoder } from '../../src/sources/kafka/avro.ts'
import { serversDir } from '../servers/cache.ts'
import { buildGo } from '../servers/go.ts'

const MAIN = `package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/linkedin/goavro/v2"
)

type line struct {
	Schema string  \`json:"schema"\`
	Hex    string  \`json:"hex"\`
	Want   string  \`json:"want,omitempty"\`
	Body   *string \`json:"body"\`
}

func body(codec *goavro.Codec, bytes []byte) *string {
	native, _, err := codec.NativeFromBinary(bytes)
	if err != nil {
		return nil
	}
	textual, err := codec.TextualFromNative(nil, native)
	if err != nil {
		return nil
	}
	raw := json.RawMessage(textual)
	out, err := json.Marshal(&raw)
	if err != nil {
		return nil
	}
	text := string(out)
	return &text
}

func main() {
	in := bufio.NewReader(os.Stdin)
	decoder := json.NewDecoder(in)
	for decoder.More() {
		var one line
		if err := decoder.Decode(&one); err != nil {
			panic(err)
		}
		bytes, err := hex.DecodeString(one.Hex)
		if err != nil {
			panic(err)
		}
		codec, err := goavro.NewCodec(one.Schema)
		for try := 0; err == nil && try < 20000; try++ {
			one.Body = body(codec, bytes)
			if one.Body == nil || *one.Body == one.Want {
				break
			}
		}
		one.Want = ""
		out, _ := json.Marshal(one)
		fmt.Println(string(out))
	}
}
`

const VERSION = process.env['GOAVRO'] ?? 'v2.15.0'

const record = (...fields: [string, unknown][]) => ({
  type: 'record',
  name: 'R',
  namespace: 'com.example',
  fields: fields.map(([name, type]) => ({ name, type })),
})
const list = {
  type: 'record',
  name: 'Node',
  fields: [
    { name: 'value', type: 'long' },
    { name: 'next', type: ['null', 'Node'] },
  ],
}
const logical = (type: string, logicalType: string, more: object = {}) => ({ type, logicalType, ...more })
const fixed = { type: 'fixed', name: 'Id', namespace: 'com.example', size: 4 }
const decimal = logical('bytes', 'decimal', { precision: 20, scale: 3 })
const hex = (text: string): Buffer => Buffer.from(text, 'hex')

/** Schemas with values for avsc to write, or with bytes as they are. */
const CASES: [schema: unknown, ...(unknown | Buffer)[]][] = [
  ['null', null],
  ['boolean', true, false, hex('02'), hex('')],
  ['int', 0, -1, 1, 63, -64, 2147483647, -2147483648, hex('ffffffff0f')],
  ['long', 0, -1, Number.MAX_SAFE_INTEGER - 2, hex('ffffffffffffffffff01'), hex('feffffffffffffffff01')],
  ['long', hex('80808080808080808000'), hex('808080808080808020'), hex('80')],
  ['float', 0, -0, 1, 0.1, 16777216, 3.4028234663852886e38, 1e-45, 123456.7, 1e6, 999999, 1e-5, 0.0001, NaN, Infinity],
  ['double', 0, -0, 1, 0.1, 1e6, 999999, 123456789, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, NaN, Infinity, -Infinity],
  ['string', '', 'plain', '"quotes" \\ / \b\f\n\r\t', '<a href="x">&</a>', 'ä€😀\u2028\u007f\u0000', hex('04ff41')],
  ['bytes', hex('12001f202f3c5c7f80ff'), hex('06414243'), hex('0641'), hex('01'), hex('7f')],
  [fixed, hex('00ff4142'), hex('00ff')],
  [{ type: 'enum', name: 'Suit', symbols: ['SPADES', 'HEARTS'] }, 'HEARTS', hex('04'), hex('01')],
  [{ type: 'array', items: 'int' }, [], [1, 2, 3], hex('0302040600'), hex('03040204020600'), hex('02020204040600')],
  [{ type: 'map', values: 'string' }, {}, { 'a/b': 'c' }, { a: '1', ü: '2' }, hex('04026102610261026200')],
  [['null', 'string'], null, { string: 'x' }, hex('04'), hex('01')],
  [['null', 'int', 'long', 'float', 'double', 'boolean', 'bytes'], { int: 1 }, { double: 1.5 }, { bytes: Buffer.from('é') }],
  [['null', { type: 'array', items: ['null', 'string'] }, { type: 'map', values: 'int' }], { array: [null, { string: 'a' }] }, { map: { a: 1 } }],
  [['null', record(['a', 'int']), fixed], { 'com.example.R': { a: 1 } }, { 'com.example.Id': hex('00000001') }],
  [['null', { type: 'enum', name: 'com.example.E', symbols: ['A'] }], { 'com.example.E': 'A' }],
  [record(), {}],
  [record(['id', 'long'], ['name', 'string'], ['tags', { type: 'array', items: 'string' }], ['note', ['null', 'string']]),
    { id: 7, name: 'seven', tags: ['a', 'b'], note: null }, { id: -7, name: '', tags: [], note: { string: 'n' } }, hex('0e')],
  [record(['inner', { type: 'record', name: 'Inner', fields: [{ name: 'x', type: 'int' }] }], ['again', ['null', 'Inner']]),
    { inner: { x: 1 }, again: { 'com.example.Inner': { x: 2 } } }],
  [list, { value: 1, next: null }, { value: 1, next: { Node: { value: 2, next: { Node: { value: 3, next: null } } } } }],
  [logical('int', 'date'), 19_000, -1],
  [logical('int', 'time-millis'), 1],
  [logical('long', 'time-micros'), 86_399_999_999],
  [logical('long', 'timestamp-millis'), 1_700_000_000_123, -1, -1001],
  [logical('long', 'timestamp-micros'), 1_700_000_000_123_456, -1],
  [logical('long', 'timestamp-nanos'), 1],
  [logical('string', 'uuid'), '3f2b…'],
  [['null', logical('int', 'date'), logical('long', 'timestamp-millis')], hex('0202'), hex('0404')],
  [['null', logical('int', 'time-millis'), logical('long', 'time-micros')], hex('0202'), hex('0404')],
  [['null', logical('long', 'timestamp-micros')], hex('0202')],
  [['null', logical('string', 'uuid'), logical('long', 'local-timestamp-millis')], hex('020261'), hex('0404')],
  [decimal, hex('00'), hex('0200'), hex('0280'), hex('027f'), hex('040080'), hex('04ff80'), hex('04007f'), hex('06000001'), hex('06ffffff')],
  [['null', decimal], hex('02027b')],
  [record(['price', ['null', decimal]]), hex('02027b')],
  [{ ...fixed, logicalType: 'decimal', precision: 8, scale: 2 }, hex('00000001'), hex('ffffff85')],
  [['null', { ...fixed, logicalType: 'decimal', precision: 8, scale: 2 }], hex('0200000001')],
]

buildGo({ dir: `goavro-${VERSION}`, name: 'goavro', main: MAIN, requires: { 'github.com/linkedin/goavro/v2': VERSION } })
const lines: string[] = []
for (const [shape, ...values] of CASES) {
  const schema = JSON.stringify(shape)
  const type = avsc.Type.forSchema(shape as never, { wrapUnions: true })
  const decode = await avroDecoder(schema)
  for (const value of values) {
    const bytes = Buffer.isBuffer(value) ? value : type.toBuffer(value)
    let want = ''
    try {
      want = decode(bytes)
    } catch {}
    lines.push(JSON.stringify({ schema, hex: bytes.toString('hex'), want }))
  }
}
process.stdout.write(
  execFileSync(join(serversDir(), `goavro-${VERSION}`, 'goavro'), { input: lines.join('\n'), encoding: 'utf8' }),
)

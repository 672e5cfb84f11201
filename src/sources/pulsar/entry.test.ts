import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadCodec } from './commands.ts'
import { type Entry, frameReader, readEntry } from './entry.ts'

test('frames: in any pieces; what is not the protocol is refused', async () => {
  const codec = await loadCodec()
  const framed = (command: Uint8Array, rest = Buffer.alloc(0)) => {
    const head = Buffer.alloc(8)
    head.writeUInt32BE(4 + command.length + rest.length, 0)
    head.writeUInt32BE(command.length, 4)
    return Buffer.concat([head, command, rest])
  }
  const id = { ledgerId: '9007199254740995', entryId: 7 }
  const stream = Buffer.concat([
    framed(codec.encode('ping', {})),
    framed(codec.encode('message', { consumerId: 3, messageId: id }), Buffer.from('rest')),
  ])
  for (const size of [1, 2, 3, 7, 1_000]) {
    const seen: string[] = []
    const feed = frameReader(codec, ({ command, rest }) => {
      const { messageId } = command.body as { messageId?: typeof id }
      seen.push(`${command.name} ${messageId?.ledgerId ?? ''} ${rest}`)
    })
    for (let at = 0; at < stream.length; at += size) feed(stream.subarray(at, at + size))
    assert.deepEqual(seen, ['ping  ', 'message 9007199254740995 rest'])
  }
  const cut = Buffer.from([0, 0, 0, 4, 0, 0, 0, 9])
  for (const hostile of [Buffer.from('HTTP/1.1 400 Bad Request'), Buffer.alloc(8), cut, framed(Buffer.from([0xff]))])
    assert.throws(() => frameReader(codec, () => {})(hostile))
  for (const rest of ['', 'x', '\x00\x00\x00\xff', '\x0e\x01', '\x00\x00\x00\x02\xff\xff']) {
    const entry = readEntry(codec, { messageId: id }, Buffer.from(rest, 'latin1')) as Entry
    assert.equal(entry.messages, null)
    assert.equal(entry.id, '9007199254740995:7')
  }
})

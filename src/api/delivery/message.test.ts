import assert from 'node:assert/strict'
import test from 'node:test'
import { type CloudEvent, HTTP } from 'cloudevents'
import { message } from './message.ts'
import { parseTarget } from './target.ts'

const text = (value: Uint8Array) => Buffer.from(value).toString()

test('binary mode is what the CloudEvents SDK reads', () => {
  const event = Buffer.from(
    '{"specversion":"1.0","id":"a b\\"%é","source":"s","type":"webhook","subject":"e","datacontenttype":"application/json","time":"2026-01-02T03:04:05.678Z","data_base64":"eyJuIjoxfQ=="}',
  )
  const binary = message({ event }, 'binary')
  assert.equal(binary.headers['ce-id'], 'a%20b%22%25%C3%A9')
  assert.equal(text(binary.body), '{"n":1}')
  const read = HTTP.toEvent({ headers: binary.headers, body: text(binary.body) }) as CloudEvent<unknown>
  assert.deepEqual([read.source, read.type, read.subject, read.data], ['s', 'webhook', 'e', { n: 1 }])
  const structured = message({ event }, 'structured')
  const same = HTTP.toEvent({ headers: structured.headers, body: text(structured.body) }) as CloudEvent
  assert.equal(same.id, 'a b"%é')
})

test('what cannot be told in headers goes out as it is on the bus: nothing is unsendable', () => {
  const long = 'x'.repeat(20_000)
  for (const foreign of [
    'not json',
    '',
    'null',
    '[]',
    '{"id":"1","data_base64":7}',
    '{"id":"1","my ext":"x"}',
    '{"id":"1","e\\nvil":"x"}',
    '{"id":"1","datacontenttype":"a\\r\\nx: y"}',
    '{"id":"1","datacontenttype":{}}',
    `{"id":"1","ext":"${long}"}`,
    '{"id":"1","":"x", "data":1}',
  ]) {
    const event = Buffer.from(foreign)
    const { headers, body } = message({ event }, 'binary')
    if (foreign === '[]' || foreign === '{"id":"1","":"x", "data":1}') continue
    assert.equal(headers['content-type'], 'application/cloudevents+json; charset=utf-8', foreign)
    assert.equal(text(body), foreign)
  }
})

test('credentials in the URL become a header and are never shown', () => {
  const target = parseTarget('https://me:p%40ss@example.com/in?token=x#part')
  assert.equal(target.url, 'https://example.com/in?token=x')
  assert.equal(target.shown, 'https://example.com/in')
  assert.equal(target.headers.authorization, `Basic ${Buffer.from('me:p@ss').toString('base64')}`)
  for (const wrong of ['', 'example.com', 'ftp://example.com', 'http://a%zz:b@example.com'])
    assert.throws(() => parseTarget(wrong), { code: 'USAGE' })
})

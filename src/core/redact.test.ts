import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printable, printablePage } from './printable.ts'
import { createRedactor, redactedIn } from './redact.ts'
import { withoutCredentials } from './url-credentials.ts'

test('the credentials of a URL are hidden whatever its scheme, and nothing else of it', () => {
  const rows: [string, string][] = [
    ['amqp://u:p@h:5672/v', 'amqp://***@h:5672/v'],
    ['nats://tok@h:4222', 'nats://***@h:4222'],
    ['nats://a:4222,nats://u:p@b:4222', 'nats://a:4222,nats://***@b:4222'],
    ['http://u:p@ss@h/x', 'http://***@h/x'],
    ['a:9092, u:p@b:9092', 'a:9092, ***@b:9092'],
    ['wss://h/mqtt?token=abc&x=1', 'wss://h/mqtt?token=***&x=1'],
    ['https://h/?a=1&X-Amz-Signature=f00&X-Amz-Date=1', 'https://h/?a=1&X-Amz-Signature=***&X-Amz-Date=***'],
    ['https://a.example/c?sv=1&sig=a%2Bb#f', 'https://a.example/c?sv=1&sig=***#f'],
    [
      'Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=k=;x',
      'Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=***;x',
    ],
    ['{"authorization":"Bearer abcdefgh"}', '{"authorization":"Bearer ***"}'],
    ['authorization: Basic dXNlcjpwYXNz', 'authorization: Basic ***'],
  ]
  for (const [text, shown] of rows) assert.equal(withoutCredentials(text), shown)
})

test('texts without credentials stay as they are', () => {
  for (const text of [
    'https://example.com/@user?x=1&monkey=2',
    'the image ghcr.io/a/b:1.2@sha256:0123 cannot be pulled',
    'send "Authorization: Bearer <token>" with the token in <data>/run.json',
    'git@github.com:acme/shop.git, mail to a@b.example',
    'it is 12:30 at amqp://h:5672/v; key=orders, token=none',
    'event 3f@7 of default.orders.new',
  ])
    assert.equal(withoutCredentials(text), text)
})

test('a value that was read is hidden in each form that it may turn up in', () => {
  const { redact, hide } = createRedactor()
  const value = 'pä ss/w+rd"1\\2'
  hide(`${value}\n`)
  const basic = ['', 'u:', 'us:', 'usr:'].map((user) => Buffer.from(`${user}${value}`).toString('base64'))
  for (const form of [
    ...[value, encodeURIComponent(value), JSON.stringify(value), new URLSearchParams({ a: value }).toString()],
    ...[...basic, Buffer.from(value).toString('base64url')],
  ]) {
    const shown = redact(`x ${form} y`)
    assert.match(shown, /\*\*\*/, form)
    assert.ok(!shown.includes(form), shown)
  }
})

test('of several lines each is hidden, and of a file with a login what is secret in it; not what says what it is', () => {
  const { redact, hide } = createRedactor()
  hide('first-secret-line\nsecond-secret-line\r\n')
  hide('username: somebody\npassword: s3cret-w0rd\n')
  hide(
    '{"type":"service_account","project_id":"shop-prod","private_key":"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADAN\\n"}',
  )
  const shown = redact('second-secret-line s3cret-w0rd MIIEvQIBADAN somebody shop-prod -----BEGIN PRIVATE KEY-----')
  assert.equal(shown, '*** *** *** somebody shop-prod -----BEGIN PRIVATE KEY-----')
})

test('a short value is hidden where it is a word of its own, an ordinary word or number of that length never', () => {
  const { redact, hide } = createRedactor()
  for (const value of ['hunter2', 'guest', '5672', 'a1', '']) hide(value)
  assert.equal(redact('hunter2: hunter22 guest 5672 a1'), '***: hunter22 guest 5672 a1')
})

test('a longer value is hidden before a shorter one that is part of it', () => {
  const { redact, hide } = createRedactor()
  hide('abcdefgh')
  hide('abcdefgh-ijkl')
  assert.equal(redact('abcdefgh-ijkl abcdefgh'), '*** ***')
  assert.deepEqual(redactedIn({ abcdefgh: ['abcdefgh', 1, null] }, redact), { abcdefgh: ['***', 1, null] })
})

test('what steers a terminal is written as an escape; of JSON text the value stays the same', () => {
  const hostile = 'a\x1b[31m\u009b2J\u202e\u2066\u200f\u061c\ufeff\u2028\ud800b\n'
  assert.doesNotMatch(printable(hostile), /[^\x20-\x7e]/)
  assert.ok(printablePage(hostile).endsWith('b\n'))
  assert.equal(printable('žluťoučký 😀 kůň'), 'žluťoučký 😀 kůň')
  const json = JSON.stringify({ hostile })
  assert.deepEqual(JSON.parse(printable(json)), { hostile })
})

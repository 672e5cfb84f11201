import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import {
  checkHubSignature,
  checkStandardWebhook,
  checkTime,
  fromBase64,
  fromHex,
  isOneOf,
  sameSecret,
} from './signature.ts'

test('the vector that GitHub publishes (docs.github.com, "Validating webhook deliveries")', () => {
  const header = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
  const body = Buffer.from('Hello, World!')
  assert.equal(checkHubSignature(header, body, ["It's a Secret to Everybody"]), null)
  assert.equal(
    checkHubSignature(header.toUpperCase().replace('SHA256', 'sha256'), body, ["It's a Secret to Everybody"]),
    null,
  )
  assert.equal(checkHubSignature(header, body, ['other']), 'payload signature check failed')
  assert.equal(checkHubSignature(header, body, ['other', "It's a Secret to Everybody"]), null)
  assert.equal(checkHubSignature(header, body, []), 'payload signature check failed')
})

test('SHA-1 is no proof, SHA-512 is; words for the rest', () => {
  const body = Buffer.from('{}')
  const sign = (algorithm: string) => `${algorithm}=${createHmac(algorithm, 'k').update(body).digest('hex')}`
  const said = (header: string | undefined) => checkHubSignature(header, body, ['k'])
  assert.equal(said(sign('sha512')), null)
  assert.equal(said(sign('sha1')), 'SHA-1 signatures are not accepted')
  assert.equal(said(undefined), 'missing signature')
  assert.equal(said('zz'), 'error parsing signature "zz"')
  assert.equal(said('md5=00'), 'unknown hash type prefix: "md5"')
  for (const hex of ['', 'abc', 'zz', 'ab '].map((text) => `sha256=${text}`))
    assert.equal(said(hex), 'error decoding signature')
})

test('the vector of the Standard Webhooks reference libraries', () => {
  const headers: Record<string, string> = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  }
  const request = { header: (name: string) => headers[name], body: Buffer.from('{"test": 2432232314}') }
  const secret = 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const nowMs = 1_614_265_330_000
  assert.equal(checkStandardWebhook(request, [secret], nowMs), null)
  assert.equal(checkStandardWebhook(request, ['other', `whsec_${secret}`], nowMs), null)
  assert.equal(checkStandardWebhook(request, [secret], nowMs + 301_000), 'the timestamp is too old')
  assert.equal(checkStandardWebhook(request, [secret], nowMs + 301_000, 400), null)
  assert.equal(checkStandardWebhook(request, [secret], nowMs - 61_000), 'the timestamp lies in the future')
  assert.equal(checkStandardWebhook(request, ['other'], nowMs), 'signature check failed')
  headers['webhook-signature'] = `v1a,x v1,AAAA ${headers['webhook-signature']} v2,=`
  assert.equal(checkStandardWebhook(request, [secret], nowMs), null, 'one of several')
  headers['webhook-signature'] = `${'v1,AAAA '.repeat(20)}${headers['webhook-signature']}`
  assert.equal(checkStandardWebhook(request, [secret], nowMs), 'signature check failed', 'not one of a thousand')
})

test('times', () => {
  const now = 1_000_000
  for (const text of [undefined, '', 'x', '1e9', '-1', '1.5', ' 1000', '9'.repeat(16)]) {
    assert.equal(checkTime(text, now * 1000), 'the timestamp is missing or malformed', String(text))
  }
  assert.deepEqual(
    [now - 300, now + 60, now - 301, now + 61].map((seconds) => checkTime(String(seconds), now * 1000) === null),
    [true, true, false, false],
  )
})

test('equality, encodings', () => {
  assert.ok(sameSecret('a', Buffer.from('a')) && !sameSecret('a', 'ab') && !sameSecret('', 'a'))
  assert.ok(isOneOf('b', ['a', 'b']) && !isOneOf('', ['a']) && !isOneOf('a', []))
  assert.deepEqual([fromHex('aF'), fromHex('a'), fromHex('')], [Buffer.from([0xaf]), null, null])
  assert.deepEqual(
    [fromBase64('YQ=='), fromBase64('YQ='), fromBase64('Y Q='), fromBase64('')],
    [Buffer.from('a'), null, null, null],
  )
})

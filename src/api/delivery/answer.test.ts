import assert from 'node:assert/strict'
import test from 'node:test'
import { judge, type Refusal, shownWords, unanswered } from './answer.ts'
import { parseTarget } from './target.ts'

const target = parseTarget('https://me:p%40ssword@example.com/in?token=s3cr3t-token')
const refusal = (heard: Parameters<typeof judge>[0]) => judge(heard, target, 1000) as Refusal

test('only 2xx takes an event; every other answer is a reason to try again', () => {
  for (const status of [200, 201, 202, 204, 299])
    assert.deepEqual(judge({ status, body: '' }, target, 0), { taken: true })
  for (let status = 100; status < 600; status++) {
    if (status >= 200 && status < 300) continue
    const { taken, reason, why } = refusal({ status, body: '' })
    assert.deepEqual([taken, reason], [false, String(status)])
    assert.match(why, new RegExp(`^the receiver answered ${status}`))
  }
})

test('Retry-After is obeyed, whatever the status, and no longer than five minutes', () => {
  const wait = (retryAfter: string | undefined, status = 429) => refusal({ status, retryAfter, body: '' }).waitMs
  assert.equal(wait('2'), 2000)
  assert.equal(wait('2', 503), 2000)
  assert.equal(wait('2', 413), 2000)
  assert.equal(wait(new Date(5000).toUTCString()), 4000)
  for (const long of ['1e99', '999999999', 'Fri, 31 Dec 9999 23:59:59 GMT', 'Infinity'])
    assert.equal(wait(long), 300_000)
  for (const none of ['soon', '-5', '', 'NaN', undefined]) assert.equal(wait(none), 0, String(none))
})

test('a redirect says where to, without what may be secret', () => {
  const { why } = refusal({ status: 302, location: 'https://a:b@login.example.com/sso?next=x&code=9', body: '' })
  assert.match(
    why,
    /^the receiver answered 302 Found to https:\/\/login\.example\.com\/sso \(redirects are not followed/,
  )
  assert.match(refusal({ status: 308, location: '/in/', body: '' }).why, /to https:\/\/example\.com\/in\/ \(/)
  assert.match(refusal({ status: 301, location: 'javascript:alert(1)', body: '' }).why, / to elsewhere \(/)
  assert.equal(refusal({ status: 302, body: '' }).why, 'the receiver answered 302 Found')
})

test("the receiver's words are one short line without secrets and without what a terminal obeys", () => {
  const words = (body: string) =>
    refusal({ status: 401, body }).why.replace(/^the receiver answered 401 Unauthorized: /, '')
  assert.equal(words('token expired\n'), 'token expired')
  assert.equal(words('no\u001b[31m\r\n\u0007 \u202e\u009b ok'), 'no\\u{1b}[31m\\r\\n\\u{7} \\u{202e}\\u{9b} ok')
  for (const secret of ['p@ssword', 'p%40ssword', 's3cr3t-token', Buffer.from('me:p@ssword').toString('base64')]) {
    assert.equal(words(`you sent ${secret}!`), 'you sent ***!')
  }
  assert.equal(words('Authorization: Bearer abc.def-123_x=='), 'Authorization: Bearer ***')
  const long = words('x'.repeat(10_000))
  assert.equal(long.length, 200)
  assert.ok(long.endsWith('…'))
  assert.ok(!shownWords(`${'\u0001'.repeat(100)}`, []).includes('\u0001'))
  assert.equal(refusal({ status: 500, body: ' \n' }).why, 'the receiver answered 500 Internal Server Error')
})

test('no answer is told by what the connection said', () => {
  const error = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  assert.deepEqual(unanswered(error), {
    taken: false,
    reason: 'ECONNREFUSED',
    why: 'no answer: connect ECONNREFUSED 127.0.0.1:1',
    waitMs: 0,
  })
  // several addresses were tried
  assert.equal(unanswered(Object.assign(new AggregateError([]), { code: 'ETIMEDOUT' })).why, 'no answer: ETIMEDOUT')
})

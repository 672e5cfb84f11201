/** What every type that verifies requests must keep: one matrix of good and bad proofs, over a real listener. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { SourceDefinition } from '../../src/source.ts'
import { serveHttpSource } from '../http-source.ts'
import { type Reply, rawConnect } from '../raw-http.ts'

export interface Scheme {
  /** Names it in the test's title. */
  name: string
  /** The spec for a port; its secret is `s/secret`. */
  spec: (port: number) => unknown
  /** Two secrets as they stand in the Secret. */
  secrets: [string, string]
  /** Headers that prove `secret`. @param nowS seconds since the epoch, for schemes that sign the time */
  prove: (body: Buffer, secret: string, nowS: number) => Record<string, string>
  /** The header that holds the proof, as in `prove`. */
  header: string
  /** Headers that such a request has anyway. */
  headers?: Record<string, string>
  /** The proof depends on the body (not so: a token). */
  signsBody: boolean
  /** The proof depends on the time. */
  signsTime: boolean
  /** Digits of the proof may be of either case (hex). */
  anyCase: boolean
  body?: string
}

export function signatureContract(definition: SourceDefinition<any, any>, scheme: Scheme): void {
  const title = `${definition.type}, ${scheme.name}`
  const { prove, header, signsBody, signsTime, anyCase, body: sample = '{"a":1}', headers: always = {} } = scheme
  const [first, second] = scheme.secrets
  const now = () => Math.floor(Date.now() / 1000)

  const serve = async (t: TestContext, value: string) => {
    const secrets: Record<string, string> = { 's/secret': value, 's/token': 'api' }
    const served = await serveHttpSource(definition, scheme.spec, { secrets })
    t.after(() => served.close())
    const send = (headers: Record<string, string>, body: string | Buffer = sample): Promise<Reply> =>
      served.send('POST /e', { 'Content-Type': 'application/json', ...always, ...headers }, body)
    return { served, send, secrets }
  }
  const proof = (body: string | Buffer = sample, secret = first, at = now()) => prove(Buffer.from(body), secret, at)

  test(`${title}: good, wrong, missing, empty, truncated, of another case, of another body`, async (t) => {
    const { served, send } = await serve(t, first)
    const good = proof()
    const sent = good[header]!
    assert.equal((await send(good)).status, 200)
    assert.equal(
      (await send({ ...good, [header]: '', [header.toUpperCase()]: sent })).status,
      401,
      'the first of two counts',
    )
    const { [header]: _, ...without } = good
    assert.equal((await send({ ...without, [header.toUpperCase()]: sent })).status, 200, 'header names have no case')
    const events = served.events().length
    const bad: [what: string, headers: Record<string, string>][] = [
      ['wrong secret', proof(sample, second)],
      ['missing', without],
      ['empty', { ...good, [header]: '' }],
      ['truncated', { ...good, [header]: sent.slice(0, -4) }],
      ['one character', { ...good, [header]: sent.slice(0, 1) }],
      ['shorter than a prefix', { ...good, [header]: sent.slice(0, 6) }],
      ['lengthened', { ...good, [header]: `${sent}00` }],
      ['another prefix', { ...good, [header]: `x${sent}` }],
      ['huge', { ...good, [header]: sent.repeat(200) }],
      ['no ASCII', { ...good, [header]: `${sent.slice(0, -1)}\u00e9` }],
    ]
    for (const [what, headers] of bad) {
      const reply = await send(headers)
      assert.equal(reply.status, 401, what)
      assert.ok(!reply.body.includes(first), what)
    }
    const prefix = /^(sha256=|v1,)?/.exec(sent)![0]
    const digits = sent.slice(prefix.length)
    const other = digits.toUpperCase() === digits ? digits.toLowerCase() : digits.toUpperCase()
    if (other !== digits) {
      const reply = await send({ ...good, [header]: prefix + other })
      assert.equal(reply.status, anyCase ? 200 : 401, 'digits of another case')
    }
    assert.equal((await send({ ...good, [header]: sent.toUpperCase() })).status, 401, 'a prefix of another case')
    if (signsBody) {
      assert.equal((await send(good, `${sample} `)).status, 401, 'another body')
      assert.equal((await send(proof(''), '')).status, 400, 'an empty body, rightly signed')
    }
    assert.equal(served.events().length, events + (anyCase ? 1 : 0))
  })

  test(`${title}: raw bytes are what is signed: unicode, bytes that are no UTF-8, chunks`, async (t) => {
    const { served, send } = await serve(t, first)
    for (const body of ['{"a":"ü 🦊 \u2028"}', Buffer.from('{"a":"\xff\xfe"}', 'latin1'), '{ "a" : 1.0 ,"a":2}']) {
      assert.equal((await send(proof(body), body)).status, 200)
    }
    const connection = await rawConnect(served.port)
    t.after(() => connection.end())
    const headers = { 'Content-Type': 'application/json', ...always, ...proof() }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    connection.send(`POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n${lines.join('')}\r\n`)
    for (const character of sample) connection.send(`1\r\n${character}\r\n`)
    connection.send('0\r\n\r\n')
    assert.equal((await connection.reply()).status, 200)
    const gzip = await send({ ...proof(), 'Content-Encoding': 'gzip' })
    assert.equal(gzip.status, 415)
  })

  test(`${title}: two secrets at once while one is rotated; then the new one within seconds, the former one for a while`, async (t) => {
    const { send, secrets } = await serve(t, `${second}\n${first}\n`)
    for (const secret of [first, second]) assert.equal((await send(proof(sample, secret))).status, 200)
    secrets['s/secret'] = second
    assert.equal((await send(proof(sample, second))).status, 200)
    secrets['s/secret'] = first
    for (let tries = 0; (await send(proof(sample, first))).status !== 200; tries++) {
      assert.ok(tries < 100, 'the new secret is not accepted')
      await pause(50)
    }
    assert.equal((await send(proof(sample, second))).status, 200, 'the sender may not know the new one yet')
  })

  test(`${title}: without a secret to be read, or with an empty one, nobody is let in, and nobody is turned away for good`, async (t) => {
    for (const value of ['', '\n']) {
      const { served, send } = await serve(t, value)
      for (const secret of ['', first]) {
        const reply = await send(proof(sample, secret))
        assert.equal(reply.status, 503)
        assert.ok(Number(reply.headers['retry-after']) > 0)
      }
      assert.deepEqual(served.events(), [])
      assert.ok(served.harness.conditions.at(-1), 'status says so')
    }
  })

  if (!signsTime) return
  test(`${title}: stale and future times, times that are none`, async (t) => {
    const { send } = await serve(t, first)
    const at = async (seconds: number) => (await send(proof(sample, first, seconds))).status
    const seconds = now()
    assert.deepEqual([await at(seconds - 280), await at(seconds + 40)], [200, 200])
    assert.deepEqual([await at(seconds - 320), await at(seconds + 120)], [401, 401])
    for (const odd of [Number.NaN, -1, 1e20, 0.5]) assert.equal(await at(odd), 401)
  })
}

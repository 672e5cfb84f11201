/** Signatures of SNS, and the certificates that they are checked with. */
import assert from 'node:assert/strict'
import { createSign } from 'node:crypto'
import { suite, test } from 'node:test'
import { makeCertificate } from '../../../test/certificate.ts'
import { fakeClock } from '../../../test/fake-clock.ts'
import { mutations } from '../../../test/fuzz.ts'
import { startFakeApi } from '../../../test/servers/fakes/api.ts'
import { confirmation, TOPIC, unsigned } from '../../../test/sns-messages.ts'
import { systemClock } from '../../core/clock.ts'
import { createCertificates } from './certificates.ts'
import { messageOf, signedText } from './message.ts'
import { verifySignature } from './signature.ts'

const CERTIFICATE_URL = 'https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem'
const { cert, key } = makeCertificate('sns.amazonaws.com', { rsa: true })

/** Signs as SNS does: written out here once more, so that a mistake in the code is not repeated. */
function signed(message: Record<string, string | undefined>, version: '1' | '2' = '1', url = CERTIFICATE_URL): string {
  const order =
    message.Type === 'Notification'
      ? ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
      : ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']
  let text = ''
  for (const name of order) if (message[name] !== undefined) text += `${name}\n${message[name]}\n`
  const signature = createSign(version === '1' ? 'RSA-SHA1' : 'RSA-SHA256')
    .update(text)
    .sign(key, 'base64')
  return JSON.stringify({ ...message, SignatureVersion: version, Signature: signature, SigningCertURL: url })
}

const certificates = (pem = cert, clock = systemClock, endpoint = '') =>
  createCertificates({ clock, topicArn: TOPIC, endpoint, fetchCertificate: async () => pem })
const parsed = (body: string | Buffer) => messageOf({ body: Buffer.from(body), header: () => undefined })
const check = async (body: string, from = certificates()) => verifySignature(parsed(body), from)

suite('signatures', () => {
  test('those of SNS, version 1 and 2, with and without a subject', async () => {
    for (const version of ['1', '2'] as const) {
      await check(signed(unsigned, version))
      await check(signed({ ...unsigned, Subject: undefined }, version))
      await check(signed(confirmation, version))
      await check(signed({ ...confirmation, Type: 'UnsubscribeConfirmation' }, version))
    }
  })

  test('nothing else', async () => {
    const good = JSON.parse(signed(unsigned)) as Record<string, string>
    const refused = async (change: Record<string, string>, words: RegExp) =>
      assert.rejects(check(JSON.stringify({ ...good, ...change })), { code: 'EVENT_INVALID', message: words })
    for (const name of ['Message', 'MessageId', 'Subject', 'TopicArn', 'Timestamp'])
      await refused(
        { [name]: name === 'Timestamp' ? '2012-05-02T00:54:06.656Z' : `${good[name]} ` },
        /verification error/,
      )
    await refused({ Type: 'SubscriptionConfirmation' }, /verification error/)
    await refused({ SignatureVersion: '2' }, /verification error/)
    await refused({ SignatureVersion: '3' }, /unknown SignatureVersion/)
    await refused({ SignatureVersion: 'constructor' }, /unknown SignatureVersion/)
    await refused({ Signature: '' }, /illegal base64/)
    await refused({ Signature: `${good.Signature!.slice(0, -4)}!` }, /illegal base64/)
    await refused({ Signature: good.Signature!.slice(0, -4) }, /verification error/)
    await refused({ Signature: good.Signature!.toUpperCase() }, /verification error|illegal base64/)
    await assert.rejects(check(JSON.stringify(unsigned)), /unknown SignatureVersion/)
    const other = makeCertificate('sns.amazonaws.com', { rsa: true })
    await assert.rejects(check(signed(unsigned), certificates(other.cert)), /verification error/)
    await assert.rejects(check(signed(unsigned), certificates(makeCertificate().cert)), /no RSA key/)
  })

  test('a member twice, or in another spelling, is refused: readers might take the other one', async () => {
    const good = signed(unsigned)
    for (const forged of ['"Message":"evil"', '"message":"evil"', '"Mess\\u0061ge":"evil"', '"TopicArn":"x"']) {
      await assert.rejects(check(`{${forged},${good.slice(1)}`), /more than once/)
      await assert.rejects(check(`${good.slice(0, -1)},${forged}}`), /more than once|verification error/)
    }
    await check(`${good.slice(0, -1)},"MessageAttributes":{"Message":{"Type":"String","Value":"{\\"Type\\":1}"}}}`)
  })

  test('certificates come from SNS alone, or from the endpoint that the entry names', async () => {
    for (const [url, words] of [
      ['http://sns.us-east-1.amazonaws.com/x.pem', /not using https/],
      ['https://sns.us-east-1.amazonaws.com.evil.example/x.pem', /does not match/],
      ['https://evil.example/sns.us-east-1.amazonaws.com/x.pem', /does not match/],
      ['https://sns.us-east-1.amazonaws.com@evil.example/x.pem', /does not match/],
      ['https://user@sns.us-east-1.amazonaws.com/x.pem', /has a port or a user/],
      ['https://sns.us-east-1.amazonaws.com:8443/x.pem', /has a port or a user/],
      ['https://xsns.us-east-1.amazonaws.com/x.pem', /does not match/],
      ['https://127.0.0.1/x.pem', /does not match/],
      ['file:///etc/passwd', /does not match/],
      ['', /not a valid URL/],
    ] as const)
      await assert.rejects(check(signed(unsigned, '1', url)), { code: 'EVENT_INVALID', message: words }, url)
    await check(
      signed(unsigned, '1', 'http://localhost:4566/x.pem'),
      certificates(cert, systemClock, 'http://localhost:4566/'),
    )
    await assert.rejects(
      check(
        signed(unsigned, '1', 'http://localhost:4567/x.pem'),
        certificates(cert, systemClock, 'http://localhost:4566'),
      ),
      /does not match/,
    )
  })

  test('a certificate is fetched once a day; a failure is tried again soon, and is not the sender’s fault', async () => {
    const clock = fakeClock(Date.now())
    let fetched = 0
    let fails = true
    const kept = createCertificates({
      clock,
      topicArn: TOPIC,
      endpoint: '',
      async fetchCertificate() {
        fetched++
        if (fails) throw Object.assign(new Error('no answer'), { code: 'ORIGIN_UNAVAILABLE' })
        return cert
      },
    })
    await assert.rejects(check(signed(unsigned), kept), { code: 'ORIGIN_UNAVAILABLE' })
    await assert.rejects(check(signed(unsigned), kept), { code: 'ORIGIN_UNAVAILABLE' })
    assert.equal(fetched, 1)
    fails = false
    await clock.advance(6_000)
    await Promise.all([check(signed(unsigned), kept), check(signed(unsigned), kept)])
    assert.equal(fetched, 2)
    for (let i = 0; i < 40; i++)
      await kept.get(`https://sns.us-east-1.amazonaws.com/SimpleNotificationService-${i}.pem`)
    await check(signed(unsigned), kept)
    assert.equal(fetched, 42, 'the number of certificates kept is bounded')
  })

  test('a certificate out of its time, none at all, one that is none', async () => {
    const old = makeCertificate('sns.amazonaws.com', { rsa: true, nowMs: Date.now() - 3 * 86_400_000 })
    await assert.rejects(check(signed(unsigned), certificates(old.cert)), /not valid now/)
    await assert.rejects(check(signed(unsigned), certificates('<html>')), /nothing found in pem/)
    const none = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    await assert.rejects(check(signed(unsigned), certificates(none)), /failed to parse signing cert/)
  })

  test('a redirect, a large answer and an error of the host are no certificate', async (t) => {
    const answers = [
      { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
      { status: 200, body: 'x'.repeat(70_000) },
      { status: 500, body: {} },
    ]
    const api = await startFakeApi({ 'GET /:n': (_, { n }) => answers[Number(n)]! })
    t.after(() => api.close())
    const kept = createCertificates({ clock: systemClock, topicArn: TOPIC, endpoint: api.url })
    for (const [n, words] of [/answered 302/, /larger than 65536 bytes/, /answered 500/].entries())
      await assert.rejects(kept.get(`${api.url}/${n}`), { code: 'ORIGIN_UNAVAILABLE', message: words })
  })

  test('whatever is changed in a signed message, it is refused, and nothing unexpected is thrown', async () => {
    const from = certificates()
    const samples = [signed(unsigned), signed(unsigned, '2'), signed(confirmation), JSON.stringify([unsigned])]
    const originals = samples.map((sample) => JSON.parse(sample))
    for (const input of mutations(samples, { seed: 7 })) {
      try {
        await check(input.toString(), from)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'EVENT_INVALID', `${input}\n${(error as Error).stack}`)
        continue
      }
      // Accepted: then what is signed has not changed.
      const now = JSON.parse(input.toString())
      const same = (original: Record<string, string>) =>
        ['Type', 'MessageId', 'TopicArn', 'Subject', 'Message', 'Timestamp', 'Token', 'SubscribeURL'].every(
          (name) => (now[name] ?? '') === (original[name] ?? '') || !signedText(parsed(input)).includes(`${name}\n`),
        )
      assert.ok(originals.some(same), input.toString())
    }
  })
})

/** Each key of each Secret of a native bus, taken away in turn. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { suite, test } from 'node:test'
import { argoChain } from '../../../test/argo-certificates.ts'
import type { KubeObject } from '../../kube/resources.ts'
import { endOfCertificates } from './certificates.ts'
import { type Found, type MendOptions, mendCredentials } from './credentials.ts'
import { authConf } from './natsConf.ts'

const owner = { kind: 'EventBus', namespace: 'ns', name: 'default' } as const
const now = Date.now()
const options: MendOptions = { owner, service: 'eventbus-default-js-svc.ns.svc', served: true, keyInUse: true, now }
const valuesOf = (secret: KubeObject | null): Record<string, string> =>
  Object.fromEntries(
    Object.entries((secret?.data ?? {}) as Record<string, string>).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString(),
    ]),
  )

const chain = argoChain()
const server = {
  auth: authConf('theUser1', 'thePassword123456', 'systemPassword'),
  encryption: '7yT3kq0PzW1m',
  'private-key': chain.key,
  cert: chain.cert,
  'ca-cert': chain.ca,
  'cluster-private-key': chain.key,
  'cluster-cert': chain.cert,
  'cluster-ca-cert': chain.ca,
}
const client = { 'client-auth': 'username: theUser1\npassword: thePassword123456' }
const mend = (found: Found, more: Partial<MendOptions> = {}) => mendCredentials(found, { ...options, ...more })
const lacking = (...keys: string[]) => Object.fromEntries(Object.entries(server).filter(([key]) => !keys.includes(key)))
/** The keys whose values are others than before. */
const changed = (secret: KubeObject | null) =>
  Object.entries(valuesOf(secret))
    .filter(([key, value]) => (server as Record<string, string>)[key] !== value)
    .map(([key]) => key)

suite('what is missing of the Secrets of a bus', () => {
  test('nothing: nothing is touched', () => {
    assert.deepEqual(mend({ server, client }), { server: null, client: null, remade: [], keyLost: false })
  })

  test('the login of clients comes from the servers, in either form, and nothing else is made', () => {
    for (const auth of [server.auth, server.auth.replaceAll('"js": {', 'js {').replaceAll('"user"', 'user')]) {
      const { client: made, ...rest } = mend({ server: { ...server, auth }, client: undefined })
      assert.deepEqual(valuesOf(made), client)
      assert.deepEqual(rest, { server: null, remade: [], keyLost: false })
    }
  })

  test("auth.conf comes from the clients' login; both gone, both are new and that is said", () => {
    const { server: made, client: same, remade } = mend({ server: lacking('auth'), client })
    assert.deepEqual(changed(made), ['auth'])
    assert.match(valuesOf(made).auth!, /"user": "theUser1", "pass": "thePassword123456"/)
    assert.deepEqual([same, remade], [null, []])
    const both = mend({ server: lacking('auth'), client: {} })
    const [, user] = /^username: (.*)$/m.exec(valuesOf(both.client)['client-auth']!)!
    assert.ok(valuesOf(both.server).auth!.includes(`"user": "${user}"`))
    assert.match(both.remade.join(), /user and password/)
  })

  test('a chain is made anew as a whole, and no other one', () => {
    for (const [key, keys] of [
      ['cert', ['private-key', 'cert', 'ca-cert']],
      ['private-key', ['private-key', 'cert', 'ca-cert']],
      ['ca-cert', ['private-key', 'cert', 'ca-cert']],
      ['cluster-cert', ['cluster-private-key', 'cluster-cert', 'cluster-ca-cert']],
      ['cluster-ca-cert', ['cluster-private-key', 'cluster-cert', 'cluster-ca-cert']],
    ] as const) {
      const { server: made, remade } = mend({ server: lacking(key), client })
      assert.deepEqual(changed(made).sort(), [...keys].sort())
      assert.equal(remade.length, 1)
      const prefix = key.startsWith('cluster-') ? 'cluster-' : ''
      const [leaf, ca] = [`${prefix}cert`, `${prefix}ca-cert`].map((one) => new X509Certificate(valuesOf(made)[one]!))
      assert.ok(leaf!.verify(ca!.publicKey))
    }
  })

  test('the key of the disks is never made anew while they need it', () => {
    const lost = mend({ server: lacking('encryption'), client })
    assert.deepEqual([lost.server, lost.keyLost], [null, true])
    const whole = mend({ server: undefined, client })
    assert.equal(whole.keyLost, true)
    assert.equal(valuesOf(whole.server).encryption, undefined)
    assert.match(valuesOf(whole.server).auth!, /theUser1/)
    // Encrypted by the constant, or never served: any key will do.
    for (const more of [{ keyInUse: false }, { served: false }]) {
      const made = mend({ server: lacking('encryption'), client }, more)
      assert.deepEqual([changed(made.server), made.keyLost, made.remade], [['encryption'], false, []])
    }
  })
})

test('certificates that end within 30 days are told of, with how to renew them', () => {
  assert.deepEqual(endOfCertificates(server, 's', now), [])
  const day = 86_400_000
  const soon = argoChain({ lifeMs: 10 * day })
  const [told] = endOfCertificates({ ...server, cert: soon.cert }, 's', now)
  assert.match(told!.message!, /^Secret s: cert ends on \d{4}-\d\d-\d\d\. Take the key cert out of it/)
  const [past] = endOfCertificates({ ...server, 'cluster-ca-cert': soon.cert, cert: soon.cert }, 's', now + 11 * day)
  assert.equal(past!.reason, 'CertificateEnded')
  assert.match(past!.message!, /cert has ended on .*, cluster-ca-cert has ended .* the key cert and cluster-cert out/)
  assert.deepEqual(endOfCertificates({ cert: 'no certificate' }, 's', now), [])
})

import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { makeCertificate } from './x509.ts'

const times = { notBefore: Date.UTC(2026, 0, 1), notAfter: Date.UTC(2060, 5, 7, 8, 9, 10) }

for (const keyKind of ['p256', 'rsa'] as const) {
  test(`an authority and what it signs for names and addresses (${keyKind})`, () => {
    const authority = makeCertificate({ commonName: 'ca', authority: true, keyKind, ...times })
    const ca = new X509Certificate(authority.cert)
    assert.deepEqual([ca.ca, ca.subject, ca.issuer], [true, 'CN=ca', 'CN=ca'])
    assert.ok(ca.verify(ca.publicKey))
    const names = ['a.example', '*.b.example', '127.0.0.1', '::1', '::ffff:1.2.3.4', '2001:db8::5']
    const { cert, key } = makeCertificate({
      organization: 'Größe',
      names,
      usages: ['server', 'client'],
      issuer: { commonName: 'ca', key: authority.key },
      keyKind: 'p256',
      ...times,
    })
    const made = new X509Certificate(cert)
    assert.deepEqual([made.ca, made.subject, made.issuer], [false, 'O=Größe', 'CN=ca'])
    assert.ok(made.checkIssued(ca) && made.verify(ca.publicKey))
    assert.ok(made.checkPrivateKey(createPrivateKey(key)))
    for (const host of ['a.example', 'x.b.example']) assert.equal(made.checkHost(host) !== undefined, true, host)
    assert.equal(made.checkHost('c.example'), undefined)
    for (const address of names.slice(2)) assert.equal(made.checkIP(address), address)
    assert.equal(made.checkIP('127.0.0.2'), undefined)
    assert.deepEqual(made.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    assert.deepEqual([made.validFromDate.getTime(), made.validToDate.getTime()], [times.notBefore, times.notAfter])
    assert.match(made.serialNumber, /^01[0-9A-F]{30}$/)
  })
}

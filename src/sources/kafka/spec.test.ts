/** What Argo Events accepts of a Kafka entry although it cannot work: said with a remedy, and not served. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { specSchema, validateSpec } from './spec.ts'

const secret = { name: 's', key: 'k' }
const login = { userSecret: secret, passwordSecret: secret }
const tls = { enabled: true }

const found = (more: object) =>
  validateSpec(specSchema.parse({ url: 'b:9092', topic: 't', partition: '0', ...more })).map(
    ({ severity, path, message, fatal }) => `${fatal ? 'fatal' : severity} ${path.join('.')}: ${message}`,
  )

test('logins', () => {
  for (const mechanism of ['', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
    for (const more of [{}, { tls }]) assert.deepEqual(found({ sasl: { mechanism, ...login }, ...more }), [])
  for (const more of [{}, { tls }]) {
    const [oauth] = found({ sasl: { mechanism: 'OAUTHBEARER', ...login }, ...more })
    assert.match(oauth!, /^fatal sasl.mechanism: OAUTHBEARER needs a token, and no field says/)
    const [gssapi] = found({ sasl: { mechanism: 'GSSAPI', ...login }, ...more })
    assert.match(gssapi!, /^fatal sasl.mechanism: GSSAPI \(Kerberos\) is not supported/)
  }
  // Behind tls Argo Events looks at no login.
  assert.match(found({ sasl: { mechanism: 'X', ...login } })[0]!, /^error sasl.mechanism: invalid sasl config/)
  assert.match(found({ sasl: { mechanism: 'X', ...login }, tls })[0]!, /^fatal sasl.mechanism: invalid sasl config/)
  assert.match(found({ sasl: { userSecret: secret }, tls })[0]!, /^fatal sasl.passwordSecret: invalid sasl config/)
})

test('AWS IAM', () => {
  const awsMskIamAuth = { region: 'eu-central-1' }
  assert.deepEqual(found({ awsMskIamAuth }), [])
  assert.deepEqual(found({ awsMskIamAuth, tls }), [])
  assert.deepEqual(found({ awsMskIamAuth, sasl: login }), ['warning sasl: sasl is not used: awsMskIamAuth wins'])
  assert.match(found({ awsMskIamAuth: {} })[0]!, /^error awsMskIamAuth.region: awsMskIamAuth.region must be specified/)
  for (const more of [{ tls }, { sasl: login }])
    assert.match(found({ awsMskIamAuth: {}, ...more })[0]!, /^fatal awsMskIamAuth.region: "" is no region/)
  assert.match(
    found({ awsMskIamAuth: { region: 'evil.example/' } })[0]!,
    /^fatal awsMskIamAuth.region: .* is no region/,
  )
})

test('schema registry', () => {
  const url = 'https://registry:8081'
  const jsonBody = true
  assert.deepEqual(found({ jsonBody, schemaRegistry: { url, auth: { username: secret, password: secret }, tls } }), [])
  assert.deepEqual(found({ schemaRegistry: { url } }), [
    'warning schemaRegistry: a schema registry is only used with jsonBody',
  ])
  assert.deepEqual(found({ jsonBody, schemaRegistry: { url: 'registry', auth: { username: secret }, tls: {} } }), [
    'fatal schemaRegistry.auth.password: password missing',
    'fatal schemaRegistry.tls: invalid tls config, please configure either caCertSecret, or clientCertSecret and clientKeySecret, or both',
    'fatal schemaRegistry.url: "registry" is no http(s) URL',
  ])
})

test('config: see config.test.ts', () => {
  assert.match(found({ config: '{' })[0]!, /^fatal config: config is no YAML/)
  assert.match(found({ config: 'net: { tls: { enable: true } }' })[0]!, /^fatal config: net.tls.enable is not read/)
  assert.match(
    found({ config: 'net: { tls: { enable: true } }', tls })[0]!,
    /^advice config: net.tls.enable is not used/,
  )
})

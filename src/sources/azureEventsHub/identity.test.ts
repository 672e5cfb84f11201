import assert from 'node:assert/strict'
import { constants, createHash, createPublicKey, verify, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { makeCertificate } from '../../../test/certificate.ts'
import { type FakeApi, startFakeApi } from '../../../test/servers/fakes/api.ts'
import { systemClock } from '../../core/clock.ts'
import { entraToken } from './identity.ts'

const resource = 'https://eventhubs.azure.net/'
const { signal } = new AbortController()
const tokenFor = (env: Record<string, string>) => entraToken({ resource, env, clock: systemClock, signal })

async function entra(t: TestContext): Promise<FakeApi & { dir: string }> {
  const expires_on = String(Math.floor(Date.now() / 1_000) + 3_600)
  const fake = await startFakeApi({
    'POST /tenant/oauth2/v2.0/token': () => ({ status: 200, body: { access_token: 'application', expires_in: 3_600 } }),
    'GET /msi': () => ({ status: 200, body: { access_token: 'app service', expires_on } }),
    'GET /metadata/identity/oauth2/token': () => ({ status: 200, body: { access_token: 'machine', expires_on } }),
  })
  const dir = mkdtempSync(join(tmpdir(), 'vedette-entra-'))
  t.after(async () => {
    rmSync(dir, { recursive: true, force: true })
    await fake.close()
  })
  return Object.assign(fake, { dir })
}

const application = (fake: FakeApi) => ({
  AZURE_AUTHORITY_HOST: `${fake.url}/`,
  AZURE_TENANT_ID: 'tenant',
  AZURE_CLIENT_ID: 'us',
})

test('an application by its secret, its password, and the token that its cluster gives it', async (t) => {
  const fake = await entra(t)
  const posted = async (more: Record<string, string>) => {
    const { token, endsAtMs } = await tokenFor({ ...application(fake), ...more })
    assert.equal(token, 'application')
    assert.ok(Math.abs(endsAtMs - Date.now() - 3_600_000) < 60_000)
    return Object.fromEntries(fake.asked.at(-1)!.body)
  }
  const common = { client_id: 'us', scope: 'https://eventhubs.azure.net//.default' }
  const client_secret = 'hidden'
  assert.deepEqual(await posted({ AZURE_CLIENT_SECRET: client_secret, AZURE_FEDERATED_TOKEN_FILE: '/none' }), {
    ...common,
    grant_type: 'client_credentials',
    client_secret,
  })
  const user = { username: 'a@b', password: 'p' }
  assert.deepEqual(await posted({ AZURE_USERNAME: user.username, AZURE_PASSWORD: user.password }), {
    ...common,
    grant_type: 'password',
    ...user,
  })
  for (const federated of ['one', 'two']) {
    writeFileSync(join(fake.dir, 'token'), federated)
    assert.deepEqual(await posted({ AZURE_FEDERATED_TOKEN_FILE: join(fake.dir, 'token') }), {
      ...common,
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: federated,
    })
  }
})

test('an application by its certificate signs what it asks with', async (t) => {
  const fake = await entra(t)
  const { cert, key } = makeCertificate('us', { rsa: true })
  const file = join(fake.dir, 'both.pem')
  writeFileSync(file, key + cert)
  for (const chain of ['', 'true']) {
    const env = { AZURE_CLIENT_CERTIFICATE_PATH: file, AZURE_CLIENT_SEND_CERTIFICATE_CHAIN: chain }
    await tokenFor({ ...application(fake), ...env })
    const jwt: string = fake.asked.at(-1)!.body.get('client_assertion')
    const [head = '', claims = '', signature = ''] = jwt.split('.')
    const part = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString())
    const { raw } = new X509Certificate(cert)
    assert.deepEqual(part(head), {
      alg: 'PS256',
      typ: 'JWT',
      'x5t#S256': createHash('sha256').update(raw).digest('base64url'),
      ...(chain === '' ? {} : { x5c: [raw.toString('base64')] }),
    })
    const { aud, iss, sub, jti, nbf, exp } = part(claims)
    assert.deepEqual([aud, iss, sub, exp - nbf], [`${fake.url}/tenant/oauth2/v2.0/token`, 'us', 'us', 600])
    assert.match(jti, /^[0-9a-f-]{36}$/)
    const pss = { key: createPublicKey(cert), padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    assert.ok(verify('sha256', Buffer.from(`${head}.${claims}`), pss, Buffer.from(signature, 'base64url')))
  }
  writeFileSync(file, key)
  await assert.rejects(
    tokenFor({ ...application(fake), AZURE_CLIENT_CERTIFICATE_PATH: file }),
    /has no certificate in PEM/,
  )
})

test('a managed identity: of App Service, and of a virtual machine', async (t) => {
  const fake = await entra(t)
  const { token, endsAtMs } = await tokenFor({ IDENTITY_ENDPOINT: `${fake.url}/msi`, IDENTITY_HEADER: 'h' })
  assert.equal(token, 'app service')
  assert.ok(Math.abs(endsAtMs - Date.now() - 3_600_000) < 60_000)
  const { headers, query } = fake.asked.at(-1)!
  assert.equal(headers['x-identity-header'], 'h')
  assert.deepEqual(Object.fromEntries(query), { 'api-version': '2019-08-01', resource })
  const machine = { AZURE_POD_IDENTITY_AUTHORITY_HOST: fake.url, AZURE_CLIENT_ID: 'one of several' }
  assert.equal((await tokenFor(machine)).token, 'machine')
  const asked = fake.asked.at(-1)!
  assert.equal(asked.headers.metadata, 'true')
  const client_id = 'one of several'
  assert.deepEqual(Object.fromEntries(asked.query), { 'api-version': '2018-02-01', resource, client_id })
})

test('who has logged in with az, where there is no other; else all that was tried is said', async (t) => {
  const fake = await entra(t)
  const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: fake.url, PATH: fake.dir }
  const refused = () =>
    fake.faults.push({ status: 400, body: { error: 'invalid_request', error_description: 'Identity not found' } })
  const az = (script: string) => writeFileSync(join(fake.dir, 'az'), `#!/bin/sh\n${script}\n`, { mode: 0o700 })
  refused()
  await assert.rejects(
    tokenFor(env),
    /no AZURE_TENANT_ID .*; managed identity: .* answered 400: invalid_request: Identity not found; az: not installed$/,
  )
  az(`echo "{\\"accessToken\\":\\"$*\\",\\"expires_on\\":1900000000}"`)
  refused()
  assert.deepEqual(await tokenFor(env), {
    token: `account get-access-token --output json --resource ${resource}`,
    endsAtMs: 1_900_000_000_000,
  })
  az(`echo '{"accessToken":"t","expiresOn":"2030-01-01 00:00:00.000000"}'`)
  refused()
  assert.equal((await tokenFor(env)).endsAtMs, new Date(2030, 0, 1).getTime())
  az('echo "Please run az login" >&2; exit 1')
  refused()
  await assert.rejects(tokenFor(env), /; az: Please run az login$/)
  az('echo secret-token')
  refused()
  await assert.rejects(tokenFor(env), /; az: it printed no token$/)
})

test('what Entra ID refuses is said in its words, and ends the search', async (t) => {
  const fake = await entra(t)
  const error_description = 'AADSTS7000215: Invalid client secret provided. Trace ID: x'
  fake.faults.push({ status: 401, body: { error: 'invalid_client', error_description } })
  await assert.rejects(tokenFor({ ...application(fake), AZURE_CLIENT_SECRET: 'wrong' }), {
    message: `${new URL(fake.url).host} answered 401: invalid_client: ${error_description}`,
  })
  fake.faults.push({ status: 200, body: { nothing: true } })
  await assert.rejects(tokenFor({ ...application(fake), AZURE_CLIENT_SECRET: 's' }), /an answer without a token/)
  assert.equal(fake.asked.length, 2)
})

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { makeCertificate } from '../../test/certificate.ts'
import { systemClock } from '../core/clock.ts'
import { kubeConfiguration } from './configuration.ts'

interface Place {
  dir: string
  /** Writes a file, relative to the directory. */
  write(name: string, text: string, mode?: number): string
  /** The configuration of a kubeconfig with this user. */
  as(user: object, cluster?: object, nowMs?: () => number): ReturnType<typeof kubeConfiguration>
}

function place(t: TestContext): Place {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-kubeconfig-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const write = (name: string, text: string, mode = 0o600) => {
    writeFileSync(join(dir, name), text, { mode })
    return join(dir, name)
  }
  return {
    dir,
    write,
    as: (user, cluster = {}, now = systemClock.now) => {
      const file = write(
        'config',
        JSON.stringify({
          clusters: [{ name: 'c', cluster: { server: 'https://h', ...cluster } }],
          users: [{ name: 'u', user }],
          contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
          'current-context': 'x',
        }),
      )
      return kubeConfiguration({
        clock: { ...systemClock, now },
        env: { ...process.env, KUBECONFIG: file },
        context: 'x',
      })
    },
  }
}

test('what several files name alike is the first one’s, paths are meant from their own directory', async (t) => {
  const { dir, write } = place(t)
  write('ca.pem', 'CA')
  const one = write(
    'one',
    'clusters: [{name: c, cluster: {server: "https://one/", certificate-authority: ca.pem, tls-server-name: api, proxy-url: "http://p:1", insecure-skip-tls-verify: true}}]\ncurrent-context: x\n',
  )
  const two = write(
    'two',
    'clusters: [{name: c, cluster: {server: "https://two"}}]\nusers: [{name: u}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: y\n',
  )
  const found = await kubeConfiguration({ clock: systemClock, env: { KUBECONFIG: `:${one}:${two}` } })
  assert.deepEqual(
    [
      found.server,
      found.namespace,
      found.tls.ca?.toString(),
      found.tls.servername,
      found.tls.rejectUnauthorized,
      found.proxy,
    ],
    ['https://one', 'default', 'CA', 'api', false, 'http://p:1'],
  )
  assert.equal(await found.authorization(), null)
  rmSync(join(dir, 'ca.pem'))
  const gone = kubeConfiguration({ clock: systemClock, env: { KUBECONFIG: `${one}:${two}` } })
  await assert.rejects(gone, { code: 'KUBERNETES_CONFIG', message: /certificate-authority cannot be read: .*ENOENT/ })
  const home = process.env.HOME
  t.after(() => (process.env.HOME = home))
  process.env.HOME = dir
  await assert.rejects(kubeConfiguration({ clock: systemClock, env: { KUBECONFIG: '' } }), {
    code: 'KUBERNETES_CONFIG',
    message: /^the kubeconfig ~\/\.kube\/config cannot be read/,
  })
})

test('certificates, passwords, tokens and files of tokens, which are read again', async (t) => {
  const { as, write } = place(t)
  write('cert.pem', 'CERT')
  const key = Buffer.from('KEY').toString('base64')
  const certified = await as({ 'client-certificate': 'cert.pem', 'client-key-data': key, 'client-key': 'none' })
  assert.deepEqual([`${certified.tls.cert}`, `${certified.tls.key}`], ['CERT', 'KEY'])
  assert.equal(await certified.authorization(), null)
  assert.equal(await (await as({ username: 'a', password: 'b' })).authorization(), 'Basic YTpi')
  write('token', 'one\n')
  const filed = await as({ tokenFile: 'token', token: 'old' })
  assert.equal(await filed.authorization(), 'Bearer one')
  write('token', 'two\n')
  assert.equal(await filed.authorization(), 'Bearer two')
  await assert.rejects(as({ 'client-key': 'none' }), { code: 'KUBERNETES_CONFIG', message: /login failed: .*ENOENT/ })
  await assert.rejects(as({ 'auth-provider': { name: 'gcp' } }), {
    code: 'KUBERNETES_CONFIG',
    message: /gke-gcloud-auth-plugin/,
  })
})

test('a program logs in: what it says counts until it ends or is refused', async (t) => {
  const { as, write, dir } = place(t)
  write(
    'login',
    `#!/bin/sh
cd '${dir}'
echo x >>runs
printf '%s' "$KUBERNETES_EXEC_INFO" >info
printf '{"status":{"token":"%s%s","clientCertificateData":"CERT","clientKeyData":"KEY","expirationTimestamp":"2030-01-01T00:00:00Z"}}' "$1$GIVEN" $(wc -l <runs)
`,
    0o700,
  )
  let now = Date.parse('2029-12-31T23:59:59Z')
  const apiVersion = 'client.authentication.k8s.io/v1'
  const exec = {
    apiVersion,
    command: './login',
    args: ['t'],
    env: [{ name: 'GIVEN', value: 'g' }],
    provideClusterInfo: true,
  }
  const found = await as({ exec }, { 'certificate-authority-data': 'Q0E=' }, () => now)
  assert.deepEqual([`${found.tls.cert}`, `${found.tls.key}`], ['CERT', 'KEY'])
  assert.deepEqual([await found.authorization(), await found.authorization()], ['Bearer tg1', 'Bearer tg1'])
  assert.equal(await found.authorization(true), 'Bearer tg2')
  assert.equal(await found.authorization(), 'Bearer tg2')
  now += 2_000
  assert.equal(await found.authorization(), 'Bearer tg3')
  assert.deepEqual(JSON.parse(readFileSync(join(dir, 'info'), 'utf8')), {
    kind: 'ExecCredential',
    apiVersion,
    spec: { interactive: false, cluster: { server: 'https://h', 'certificate-authority-data': 'Q0E=' } },
  })
})

test('a program that cannot log in: its words, never what it printed', async (t) => {
  const { as, write } = place(t)
  write('refuses', '#!/bin/sh\necho "log in first" >&2; exit 1\n', 0o700)
  write('babbles', '#!/bin/sh\necho "secret-token"\n', 0o700)
  write('fails', '#!/bin/sh\nexit 4\n', 0o700)
  const login = (exec: object) =>
    as({ exec }).then(
      () => '',
      ({ code, message }) => `${code} ${message}`,
    )
  assert.match(await login({ command: './refuses' }), /^KUBERNETES_CONFIG .*login failed: \.\/refuses: log in first$/)
  assert.match(await login({ command: './babbles' }), /\.\/babbles: it printed no credential$/)
  assert.match(await login({ command: './fails', args: ['a-secret'] }), /\.\/fails: it ended with 4$/)
  const missing = { command: 'no-such-login-program', installHint: 'install it from example.org\n' }
  assert.match(await login(missing), /no-such-login-program: .*ENOENT; install it from example\.org$/)
})

test('OpenID Connect: the ID token, renewed at the issuer with the last refresh token', async (t) => {
  const { as } = place(t)
  const token = (exp: number, n: number) => `h.${Buffer.from(JSON.stringify({ exp, n })).toString('base64url')}.s`
  const { cert, key } = makeCertificate()
  const asked: Record<string, string>[] = []
  let refusal = ''
  const issuer = createServer({ cert, key }, async (request, response) => {
    if (request.url === '/realm/.well-known/openid-configuration')
      return response.end(JSON.stringify({ token_endpoint: `${url}/token` }))
    let text = ''
    for await (const chunk of request) text += chunk
    asked.push(Object.fromEntries(new URLSearchParams(text)))
    if (refusal !== '') return response.writeHead(400).end(refusal)
    const n = asked.length
    response.end(JSON.stringify({ id_token: token(now / 1_000 + 60, n), refresh_token: `r${n}` }))
  })
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    issuer.close()
    issuer.closeAllConnections()
  })
  const url = `https://127.0.0.1:${(issuer.address() as AddressInfo).port}`
  let now = 1_000_000_000_000
  const config = {
    'id-token': token(now / 1_000 + 60, 0),
    'refresh-token': 'r0',
    'idp-issuer-url': `${url}/realm/`,
    'client-id': 'us',
    'client-secret': 'hidden',
    'idp-certificate-authority-data': Buffer.from(cert).toString('base64'),
  }
  const asUser = (more: object = {}) =>
    as({ 'auth-provider': { name: 'oidc', config: { ...config, ...more } } }, {}, () => now)
  const found = await asUser()
  assert.equal(await found.authorization(), `Bearer ${config['id-token']}`)
  assert.equal(asked.length, 0)
  for (const n of [1, 2]) {
    now += 61_000
    assert.equal(await found.authorization(), `Bearer ${token(now / 1_000 + 60, n)}`)
    const grant = { grant_type: 'refresh_token', refresh_token: `r${n - 1}`, client_id: 'us', client_secret: 'hidden' }
    assert.deepEqual(asked.at(-1), grant)
  }
  now += 61_000
  refusal = '{"error":"invalid_grant"}'
  await assert.rejects(found.authorization(), {
    code: 'KUBERNETES_CONFIG',
    message: /answered 400: \{"error":"invalid_grant"\}/,
  })
  const bare = await asUser({ 'refresh-token': undefined })
  await assert.rejects(bare.authorization(), { code: 'KUBERNETES_CONFIG', message: /the ID token has ended/ })
})

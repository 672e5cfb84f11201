import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const main = join(import.meta.dirname, 'main.ts')

/** As a Node of that version would start it. */
function startedBy(version: string) {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  const args = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, main, '--version']
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

test('an old Node is told which one is needed, before it reads anything else', () => {
  const { status, stdout, stderr } = startedBy('20.20.2')
  assert.deepEqual([status, stdout], [3, ''])
  assert.match(
    stderr,
    /^vedette: Node\.js 24 or newer is needed \(found: 20\.20\.2, .*\): install it from https:\/\/nodejs\.org\n$/,
  )
  assert.doesNotMatch(readFileSync(main, 'utf8'), /^import /m)
  assert.equal(startedBy('24.0.0').status, 0)
})

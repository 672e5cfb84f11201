import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const runner = fileURLToPath(new URL('../test.ts', import.meta.url))

test('a file whose process goes on after its tests is ended and has failed, and what its tests said is shown', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-runner-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'endless.test.mjs')
  writeFileSync(
    file,
    `import { test } from 'node:test'
    test('leaves something behind', () => { setInterval(() => {}, 50); throw new Error('this is why') })`,
  )
  const { NODE_TEST_CONTEXT: _, CI: __, VEDETTE_FULL: ___, ...env } = process.env
  const { code, stdout } = await new Promise<{ code: number | null; stdout: string }>((resolve) => {
    const child = execFile(process.execPath, [runner, '--limit', '2', file], { env }, (_, stdout) =>
      resolve({ code: child.exitCode, stdout }),
    )
  })
  assert.equal(code, 1)
  assert.match(stdout, /Error: this is why/)
  assert.match(stdout, /failed: \S*endless\.test\.mjs: leaves something behind/)
  assert.match(stdout, /^0 passed, 2 failed/m)
})

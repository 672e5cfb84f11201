import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { systemClock } from '../core/clock.ts'
import { watchPaths } from './watch.ts'

test('a file written, replaced, removed and made again; a file in a directory', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-test-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'a.yaml')
  const folder = join(dir, 'more')
  mkdirSync(folder)
  writeFileSync(file, '1')
  let changes = 0
  const stop = watchPaths([file, folder], { clock: systemClock, onChange: () => changes++ })
  t.after(stop)
  const after = async (change: () => void) => {
    const before = changes
    change()
    for (let i = 0; changes === before; i++) {
      assert.ok(i < 500, 'not noticed within 5 s')
      await systemClock.sleep(10)
    }
    // a change that is seen in two looks is two changes: let it come to rest
    await systemClock.sleep(150)
  }
  await systemClock.sleep(200)
  assert.equal(changes, 0)
  await after(() => writeFileSync(file, '22'))
  await after(() => {
    writeFileSync(`${file}.new`, '333')
    renameSync(`${file}.new`, file)
  })
  await after(() => rmSync(file))
  await after(() => writeFileSync(file, '4'))
  await after(() => writeFileSync(join(folder, 'b.yaml'), '5'))
  stop()
  const stopped = changes
  writeFileSync(file, '66')
  await systemClock.sleep(1300)
  assert.equal(changes, stopped)
})

/** A disk that is easily full. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A small disk of its own, gone when the test ends; a reason when there can be none. */
export function smallDisk(t: Pick<TestContext, 'after'>, megabytes: number): { path: string } | { cannot: string } {
  if (process.platform !== 'linux') return { cannot: 'a small disk is only made on Linux' }
  if (process.getuid?.() !== 0) return { cannot: 'only root may mount a small disk' }
  const path = mkdtempSync(join(tmpdir(), 'vedette-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'vedette-test', path], { stdio: 'pipe' })
  } catch (error) {
    rmSync(path, { recursive: true })
    return { cannot: `mount is not permitted here: ${(error as { stderr?: Buffer }).stderr}` }
  }
  t.after(() => {
    execFileSync('umount', ['--lazy', path])
    rmSync(path, { recursive: true, force: true })
  })
  return { path }
}

/** Takes all the space there is. */
export function fill(path: string): void {
  const file = openSync(path, 'a')
  try {
    const block = Buffer.alloc(64 << 10)
    for (;;) writeSync(file, block)
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
  } finally {
    closeSync(file)
  }
}

/** Wall clocks of single processes of a run, each to be set by itself: see shifted-clock.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Rig, waitFor } from './rig.ts'

export interface Clocks {
  /** For the run. */
  readonly env: Record<string, string>
  /** From now on the wall clock of process `pid` is off by `ms`. */
  set(rig: Pick<Rig, 'log'>, pid: number, ms: number): Promise<void>
}

export function makeClocks(t: Pick<TestContext, 'after'>): Clocks {
  const clocks = mkdtempSync(join(tmpdir(), 'vedette-clocks-'))
  t.after(() => rmSync(clocks, { recursive: true, force: true }))
  const preload = pathToFileURL(join(import.meta.dirname, 'shifted-clock.ts')).href
  return {
    env: { VEDETTE_TEST_CLOCKS: clocks, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${preload}` },
    async set(rig, pid, ms) {
      const said = `process ${pid}: the clock is off by ${ms} ms\n`
      const before = rig.log().split(said).length
      writeFileSync(join(clocks, String(pid)), String(ms))
      process.kill(pid, 'SIGUSR2')
      await waitFor(async () => rig.log().split(said).length > before)
    },
  }
}

/** Small Go programs of ours around a library that exists in Go alone, built from the module proxy. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serversDir } from './cache.ts'

export interface GoProgram {
  /** Folder and name of the binary in the cache of servers. */
  dir: string
  name: string
  /** The text of `main.go`. */
  main: string
  /** Module → version, with its `v`. */
  requires: Record<string, string>
}

/** @throws when Go is missing or the build fails */
export function buildGo({ dir, name, main, requires }: GoProgram): void {
  const target = join(serversDir(), dir)
  mkdirSync(target, { recursive: true })
  const module = mkdtempSync(join(tmpdir(), `vedette-${name}-build-`))
  const go = (...args: string[]) => execFileSync('go', args, { cwd: module, stdio: ['ignore', 'inherit', 'inherit'] })
  try {
    writeFileSync(join(module, 'main.go'), main)
    go('mod', 'init', name)
    go('mod', 'edit', ...Object.entries(requires).map((one) => `-require=${one.join('@')}`))
    // Under its name only when it is whole.
    const unfinished = join(target, `${name}.building`)
    go('build', '-mod=mod', '-trimpath', '-o', unfinished, '.')
    renameSync(unfinished, join(target, name))
  } finally {
    rmSync(module, { recursive: true, force: true })
  }
}

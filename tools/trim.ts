/**
 * `node tools/trim.ts DIR…`: removes from installed packages what no program reads: source maps, types, sources in other languages, prose. Licences and
 * notices stay. The image is made with it, and a clone's Node loses the headers that only add-ons are built with.
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** `.proto`, `.json` and `.wasm` are read at run time; a `.ts` in a package cannot be: Node strips no types there. */
const SPARE = /\.(map|[cm]?tsx?|tsbuildinfo|flow|md|markdown|c|cc|cpp|h|hpp|gyp|gypi)$/i
const KEPT = /^(licen[cs]e|notice|copying|copyright)/i

/** @param name of a file of a package, without its path */
export const isSpare = (name: string): boolean => SPARE.test(name) && !KEPT.test(name)

/** @returns how many files are gone */
export function trim(dir: string): number {
  const spare = readdirSync(dir, { recursive: true, withFileTypes: true }).filter(
    (one) => one.isFile() && isSpare(one.name),
  )
  for (const { parentPath, name } of spare) rmSync(join(parentPath, name))
  return spare.length
}

if (import.meta.main) {
  for (const dir of process.argv.slice(2)) process.stdout.write(`${dir}: ${trim(dir)} files removed\n`)
}

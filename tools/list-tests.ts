/**
 * Lists the tests that `npm test` leaves out, by file, each with the length in which it is run: `whole` by the CI (`CI=true npm test`), `full`
 * by `npm run test:full` only; with `--all` every test.
 *
 *   node tools/list-tests.ts [--all] [--json] [FILE…]
 */
import { execFileSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { filesOf, type Length } from './tests/lengths.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, json: { type: 'boolean' } },
})
const files = positionals.length > 0 ? positionals : globSync('{src,test,sim,tools}/**/*.test.ts').sort()

/** By file. */
function named(length: 'whole' | 'full'): Record<string, string[]> {
  const { VEDETTE_FULL: _, ...env } = process.env
  return JSON.parse(
    execFileSync(process.execPath, ['tools/tests/named.ts', ...files], {
      env: length === 'full' ? { ...env, VEDETTE_FULL: '1' } : env,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    }),
  )
}

const whole = named('whole')
const full = named('full')
const short = new Set(filesOf('short', files))
/** The shortest length that has the test. */
const shortestWith = (file: string, name: string): Length =>
  !whole[file]!.includes(name) ? 'full' : short.has(file) ? 'short' : 'whole'
const listed = files
  .flatMap((file) => full[file]!.map((name) => ({ file, name, length: shortestWith(file, name) })))
  .filter(({ length }) => values.all || length !== 'short')
if (values.json) console.log(JSON.stringify(listed, null, 2))
else {
  let last = ''
  for (const { file, name, length } of listed) {
    if (file !== last) console.log(file)
    console.log(`  ${length.padEnd(6)}${name}`)
    last = file
  }
  const count = (length: Length) => listed.filter((one) => one.length === length).length
  console.log(`${count('whole')} tests are left to the CI, ${count('full')} are in the full length only`)
}

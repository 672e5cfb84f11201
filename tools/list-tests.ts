/**
 * Lists the tests that only the full length has (`npm run test:full`), by file; with `--all` every test, with a mark at those.
 *
 *   node tools/list-tests.ts [--all] [--json] [FILE…]
 */
import { execFileSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, json: { type: 'boolean' } },
})
const files = positionals.length > 0 ? positionals : globSync('{src,test,sim,tools}/**/*.test.ts').sort()

/** By file. */
function named(length: 'ordinary' | 'full'): Record<string, string[]> {
  const { VEDETTE_FULL: _, ...env } = process.env
  return JSON.parse(
    execFileSync(process.execPath, ['tools/tests/named.ts', ...files], {
      env: length === 'full' ? { ...env, VEDETTE_FULL: '1' } : env,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    }),
  )
}

const ordinary = named('ordinary')
const full = named('full')
const listed = files
  .flatMap((file) =>
    full[file]!.map((name) => ({ file, name, length: ordinary[file]!.includes(name) ? 'ordinary' : 'full' })),
  )
  .filter(({ length }) => values.all || length === 'full')
if (values.json) console.log(JSON.stringify(listed, null, 2))
else {
  let last = ''
  for (const { file, name, length } of listed) {
    if (file !== last) console.log(file)
    console.log(`  ${values.all ? (length === 'full' ? 'full  ' : '      ') : ''}${name}`)
    last = file
  }
  console.log(`${listed.filter(({ length }) => length === 'full').length} tests are in the full length only`)
}

/**
 * Names of the tests that files declare, found by loading them with `node:test` replaced (collector.ts): whatever decides at load
 * whether a test is there has decided, and none is run.
 *
 *   node tools/tests/named.ts FILE…      prints { [file]: name[] } as JSON
 */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'

const collector = new URL('./collector.ts', import.meta.url).href
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'node:test' ? { url: collector, shortCircuit: true } : next(specifier, context),
})
const { taken } = await import('./collector.ts')
const found: Record<string, string[]> = {}
for (const file of process.argv.slice(2)) {
  await import(pathToFileURL(file).href)
  found[file] = taken()
}
process.stdout.write(JSON.stringify(found), () => process.exit(0))

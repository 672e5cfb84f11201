/** Suites that a type cannot miss: each has its adapter for both, or its module says why it cannot have one. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Suite } from '../../src/source.ts'
import { loadSource, types } from '../../src/sources/index.ts'
import { type Share, suitesOf } from '../origins/suites.ts'

const nothing: Share = () => () => Promise.reject(new Error('no server is started here'))

for (const type of types) {
  test(`${type} is tried by the source contract and the delivery run, or says why it cannot be`, async () => {
    const { untried = {} } = (await loadSource(type))!
    const suites = await suitesOf(type)
    for (const suite of ['contract', 'delivery'] satisfies Suite[]) {
      const adapters = suites[suite]?.(nothing) ?? []
      const why = untried[suite]
      assert.ok(
        adapters.length > 0 || why !== undefined,
        `test/origins/${type}.ts exports no adapter as \`${suite}\`, and src/sources/${type}.ts has no reason in \`untried\``,
      )
      assert.ok(adapters.length === 0 || why === undefined, `${suite}: it is tried, and says that it is not`)
      for (const file of why?.match(/test\/\S+\.test\.ts/g) ?? []) assert.ok(existsSync(file), `${file} is not there`)
    }
    if (untried.delivery !== undefined) return
    const run = `test/faults/${type}.test.ts`
    assert.match(existsSync(run) ? readFileSync(run, 'utf8') : '', /deliveryContract\(/, `${run} runs no delivery`)
  })
}

/** The source contract, kept by every type of the registry against its origin: see source.ts. Types with `suites` missing fail in suites.test.ts. */
import { after } from 'node:test'
import { loadSource, types } from '../../src/sources/index.ts'
import { sharing, suitesOf } from '../origins/suites.ts'
import { sourceContract } from './source.ts'

for (const type of types) {
  const definition = await loadSource(type)
  const { contract } = await suitesOf(type)
  for (const adapter of contract?.(sharing(after)) ?? []) sourceContract(definition!, adapter)
}

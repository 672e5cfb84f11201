/** The process that reads a store with lmdb for readonly.ts, and that a damaged page may end. Its argument: the store's directory. */
import { fail } from '../../core/errors.ts'
import { asReadError, openEnvironment } from './lmdb.ts'
import type { ReadAnswer, ReadOrder } from './readonly.ts'
import { perform, toWireError } from './request.ts'
import { checkFormat } from './store.ts'

const READY = -1
const answer = (...words: ReadAnswer) => process.send?.(words)

function open(dir: string) {
  const { tables } = openEnvironment(dir, { readOnly: true, mapBytes: 1 << 30 })
  if (tables.meta.get('format') !== 0) checkFormat(tables, dir)
  return tables
}

function start(dir: string | undefined) {
  if (dir === undefined) throw fail('USAGE', 'which store?')
  const tables = open(dir)
  const at = { nowMs: 0, incarnation: tables.meta.get('incarnation'), dedupMs: 0 }
  process.on('message', ([number, operation, input]: ReadOrder) => {
    try {
      answer(number, perform(tables, at, operation, input as never), null)
    } catch (error) {
      answer(number, null, toWireError(asReadError(error)))
    }
  })
  answer(READY, null, null)
}

// what a terminal sends to all of its processes is its parent's to answer
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))
try {
  start(process.argv[2])
} catch (error) {
  answer(READY, null, toWireError(asReadError(error)))
}

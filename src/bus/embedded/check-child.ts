/**
 * The process that looks through a store, or rebuilds it: reading takes long, and lmdb, which is asked last, may be ended by a damaged store.
 * Says where it is, over and over, so that its parent (check.ts) can tell that it goes on.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import type { ChildLine, ChildOrder } from './check.ts'
import { DATA_FILE } from './header.ts'
import { openEnvironment } from './lmdb.ts'
import { asProblem, look, type StoreCheck, tryWriting } from './look.ts'
import { readMark } from './mark.ts'
import { openPages } from './pages.ts'
import { lossText, rebuild } from './rebuild.ts'
import { toWireError } from './request.ts'
import { checkFormat, STORE_FORMAT } from './store.ts'

const MAP_BYTES = 1 << 30

const order = JSON.parse(process.argv[2] ?? '') as ChildOrder
const say = (line: ChildLine) => writeSync(1, `${JSON.stringify(line)}\n`)

const tell = (at: string, records: number, of: number) => say({ at, records, of })

function lookThrough(dir: string): StoreCheck {
  if (order.live === true) {
    // until this turn ends, which is after all of it, the pages of the snapshot that is read now are not written anew
    openEnvironment(dir, { readOnly: true, mapBytes: MAP_BYTES }).tables.meta.get('seq')
  }
  const pages = openPages(join(dir, DATA_FILE))
  const found = look(pages, STORE_FORMAT, tell)
  pages.close()
  return found
}

function lookAndTry(dir: string): StoreCheck {
  const found = lookThrough(dir)
  if (order.live === true || found.problems.length > 0 || found.format > STORE_FORMAT) return found
  tell('writing', found.records, found.records)
  try {
    tryWriting(openEnvironment(dir, { mapBytes: MAP_BYTES }))
    return found
  } catch (error) {
    return { ...found, problems: [asProblem(error)] }
  }
}

function rebuildInto(to: string): ChildLine {
  const pages = openPages(join(order.dir, DATA_FILE))
  const target = openEnvironment(to, { mapBytes: MAP_BYTES })
  const rebuilt = rebuild(pages, target, readMark(order.dir), tell)
  target.transaction(() => checkFormat(target.tables, order.dir))
  const { problems, records } = lookThrough(to)
  if (problems[0] !== undefined) throw new Error(`what was saved is not sound (${problems[0]})`)
  return { rebuilt: { records, lost: rebuilt.lost, text: lossText(rebuilt) } }
}

try {
  tell('open', 0, 0)
  say(order.target === undefined ? { done: lookAndTry(order.dir) } : rebuildInto(order.target))
} catch (error) {
  say({ failed: toWireError(error) })
}
process.exit(0)

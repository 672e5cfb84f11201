/** The table of measured counts in docs/guarantees.md, a row for each source and bus. */
import { readFileSync, writeFileSync } from 'node:fs'

const PAGE = new URL('../../docs/guarantees.md', import.meta.url)
const BEGIN = '<!-- measured:delivery -->'
const END = '<!-- /measured:delivery -->'
const HEAD = '| source | bus | messages | lost | doubled | kill to next event, median ms |\n|---|---|---|---|---|---|'

export type Row = [source: string, bus: string, messages: number, lost: number, doubled: number, gapMs: number]

/** Puts a row into the page, in the place of the one with the same source and bus. */
export function recordMeasured(row: Row): void {
  const page = readFileSync(PAGE, 'utf8')
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`docs/guarantees.md must hold ${BEGIN} and ${END}`)
  const text = `| ${row.join(' | ')} |`
  const key = `| ${row[0]} | ${row[1]} |`
  const others = page
    .slice(begin, end)
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| source |') && !line.startsWith(key))
  const table = [...others, text].sort().join('\n')
  writeFileSync(PAGE, `${page.slice(0, begin + BEGIN.length)}\n${HEAD}\n${table}\n${page.slice(end)}`)
}

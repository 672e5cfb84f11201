/** The table in docs/guarantees.md; the text around it is written by hand. */
import type { SourceDefinition } from '../../src/source.ts'
import { cell } from './pages.ts'

const BEGIN = '<!-- generated:guarantees -->'
const END = '<!-- /generated:guarantees -->'

/** @throws Error when the page has lost its markers */
export function guaranteesPage(written: string, definitions: SourceDefinition<any, any>[]): string {
  const begin = written.indexOf(BEGIN)
  const end = written.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`docs/guarantees.md must hold ${BEGIN} and ${END}`)
  const table = definitions.map(
    ({ type, strategy, guarantee, because }) =>
      `| [${type}](sources/${type}.md) | ${strategy} | ${guarantee} | ${cell(because)} |`,
  )
  const head = '| type | strategy | guarantee | because |\n|---|---|---|---|'
  return `${written.slice(0, begin + BEGIN.length)}\n${head}\n${table.join('\n')}\n${written.slice(end)}`
}

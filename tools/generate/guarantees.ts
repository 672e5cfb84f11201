/** The table in docs/guarantees.md; the text around it is written by hand. */
import type { SourceDefinition } from '../../src/source.ts'
import { cell } from './pages.ts'

const BEGIN = '<!-- generated:guarantees -->'
const END = '<!-- /generated:guarantees -->'

/** Kafka knows no ids of events: what a sender repeats to an active-active entry may be there twice. The leader of the others knows them. */
const onKafka = (strategy: string, guarantee: string): string =>
  strategy === 'active-active' && guarantee === 'exactly-once' ? 'at-least-once' : guarantee

/** @throws Error when the page has lost its markers */
export function guaranteesPage(written: string, definitions: SourceDefinition<any, any>[]): string {
  const begin = written.indexOf(BEGIN)
  const end = written.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`docs/guarantees.md must hold ${BEGIN} and ${END}`)
  const table = definitions.map(
    ({ type, strategy, guarantee, because }) =>
      `| [${type}](sources/${type}.md) | ${strategy} | ${guarantee} | ${onKafka(strategy, guarantee)} | ${cell(because)} |`,
  )
  const head = '| type | strategy | embedded, JetStream | Kafka | because |\n|---|---|---|---|---|'
  return `${written.slice(0, begin + BEGIN.length)}\n${head}\n${table.join('\n')}\n${written.slice(end)}`
}

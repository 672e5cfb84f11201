/** The tables in docs/guarantees.md; the text around them is written by hand. */
import type { SourceDefinition } from '../../src/source.ts'
import { cell } from './pages.ts'

/** Kafka knows no ids of events: what a sender repeats to an active-active entry may be there twice. The leader of the others knows them. */
const onKafka = (strategy: string, guarantee: string): string =>
  strategy === 'active-active' && guarantee === 'exactly-once' ? 'at-least-once' : guarantee

/** @throws Error when the page has lost its markers */
export function guaranteesPage(written: string, definitions: SourceDefinition<any, any>[]): string {
  const link = (type: string) => `[${type}](sources/${type}.md)`
  const guarantees = definitions.map(
    ({ type, strategy, guarantee, because }) =>
      `| ${link(type)} | ${strategy} | ${guarantee} | ${onKafka(strategy, guarantee)} | ${cell(because)} |`,
  )
  const identities = definitions.map(({ type, ids }) => `| ${link(type)} | ${cell(ids)} |`)
  const head = '| type | strategy | embedded, JetStream | Kafka | because |\n|---|---|---|---|---|'
  const page = between(written, 'guarantees', [head, ...guarantees])
  return between(page, 'identities', ['| type | an event is known by |\n|---|---|', ...identities])
}

/** Puts lines between the two markers of a name. */
function between(page: string, name: string, lines: string[]): string {
  const [begin, end] = [`<!-- generated:${name} -->`, `<!-- /generated:${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`docs/guarantees.md must hold ${begin} and ${end}`)
  return `${page.slice(0, from + begin.length)}\n${lines.join('\n')}\n${page.slice(to)}`
}

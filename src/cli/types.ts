import type { Command } from 'commander'
import type { SourceDefinition } from '../source.ts'

export default function register(program: Command): void {
  program
    .command('types')
    .description('list the source types of this version, their strategy and guarantee')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  vedette types\n  vedette types --json\n\nvedette explain TYPE says more of one.',
    )
    .action(async ({ json = false }: { json?: boolean }) => {
      const { loadSource, types } = await import('../sources/index.ts')
      const definitions = (await Promise.all(types.map(loadSource))).filter((definition) => definition !== null)
      process.stdout.write(json ? typesJson(definitions) : typesTable(definitions))
    })
}

/** `[{"type","strategy","guarantee"}]`, exactly these keys. */
export function typesJson(definitions: SourceDefinition<any, any>[]): string {
  const rows = definitions.map(({ type, strategy, guarantee }) => ({ type, strategy, guarantee }))
  return `${JSON.stringify(rows, null, 2)}\n`
}

export function typesTable(definitions: SourceDefinition<any, any>[]): string {
  const rows = [
    ['TYPE', 'STRATEGY', 'GUARANTEE', 'WATCHES'],
    ...definitions.map(({ type, strategy, guarantee, summary }) => [type, strategy, guarantee, summary]),
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}\n`).join('')
}

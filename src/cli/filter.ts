import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { Command } from 'commander'
import { fail, messageOf } from '../core/errors.ts'

const EXAMPLES = `
Examples:
  vedette filter '1 + 1 == 2'
  vedette filter 'body.ref == "refs/heads/main"' --data event.json
  echo '{"body": {"tags": ["a", "b"]}}' | vedette filter '"b" in body.tags' --data -
  vedette filter 'sprig.semverCompare(">=1.2", body.version)' --data event.json
  vedette filter -- '-1 < 0'

The data is what a filter sees of an event: the payload of its type, e.g. header and body for a webhook
(vedette explain TYPE). docs/filters.md describes the language.`

export default function register(program: Command): void {
  program
    .command('filter')
    .description("try a filter expression on an event's data: prints true or false")
    .argument('<expression>', "as in an entry's filter.expression")
    .option('--data <file>', "JSON file with the event's data, - reads standard input (default: {})")
    .addHelpText('after', EXAMPLES)
    .action(async (expression: string, { data }: { data?: string }) => {
      const { compileFilter } = await import('../filter/filter.ts')
      // before the data is read, so that a wrong expression is told at once
      const filter = compileFilter(expression)
      const matches = filter.matches(data === undefined ? '{}' : await read(data))
      process.stdout.write(`${matches}\n`)
    })
}

/** @throws EVENT_INVALID when the file cannot be read */
async function read(file: string): Promise<Uint8Array> {
  if (file === '-') return buffer(process.stdin)
  try {
    return await readFile(file)
  } catch (error) {
    throw fail('EVENT_INVALID', `cannot read the event's data from ${file}: ${messageOf(error)}`)
  }
}

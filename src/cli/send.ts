import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { fail, messageOf } from '../core/errors.ts'
import { call, needRun, withData } from './client.ts'

export default function register(program: Command): void {
  withData(
    program
      .command('send')
      .description('put a test event on the bus, as if the entry had seen it (its filter is not asked)')
      .argument('<source>', 'name of the EventSource')
      .argument('<entry>', 'name of the entry')
      .argument('[payload]', "the event's data: JSON, @FILE, or - for stdin", '{}')
      .option('--namespace <namespace>', 'needed when the name is in several'),
  )
    .addHelpText(
      'after',
      `
Examples:
  vedette send orders orders '{"body":{"id":7}}'
  vedette send orders orders @event.json
  echo '{}' | vedette send orders orders -

What is sent is the data of the event as it lands on the bus (vedette explain TYPE shows its shape). For a request
through the real listener, with its headers and its guard, use curl.`,
    )
    .action(async (source: string, entry: string, payload: string, options: { data: string; namespace?: string }) => {
      const run = await needRun(options.data)
      const data = parse(await textOf(payload))
      const sent = await call<{ id: string; seq: number }>(run, '/v1/send', {
        source,
        entry,
        data,
        namespace: options.namespace,
      })
      process.stdout.write(`stored as ${sent.seq}, id ${sent.id}\n`)
    })
}

async function textOf(given: string): Promise<string> {
  if (given === '-') {
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk)
    return Buffer.concat(chunks).toString('utf8')
  }
  if (!given.startsWith('@')) return given
  const file = given.slice(1)
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw fail('EVENT_INVALID', `${file} cannot be read (${error.code}): give a file that exists after @`)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw fail('EVENT_INVALID', `the data is not JSON: ${messageOf(error)}`)
  }
}

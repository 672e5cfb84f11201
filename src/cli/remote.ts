/** The events of a running `vedette run`, over its control socket: server-sent events taken apart again. */
import { createInterface } from 'node:readline'
import type { Scan } from '../api/scan.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { RunRecord } from '../local/dataDir.ts'
import { errorIn, open, textOf } from './client.ts'

/** One event as JSON text (`eventLine`). */
export interface EventText {
  seq: number
  json: string
}

/**
 * @param onNext called first, with the sequence number from which on the run is looking
 * @param onNote told what of the wanted events is not there
 * @throws NOT_RUNNING when the run ends before the stream does
 */
export async function* remoteEvents(
  run: RunRecord,
  { source, namespace, entry, from, limit, follow }: Scan,
  onNext: (next: number) => void,
  onNote: (note: string) => void = () => {},
): AsyncGenerator<EventText> {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries({ source, namespace, entry, from, limit, follow })) {
    if (value !== undefined) query.set(key, String(value))
  }
  const gone = new AbortController()
  const response = await open(run, `/v1/events?${query}`, { signal: gone.signal })
  if (response.statusCode !== 200) throw errorIn(await textOf(response), response.statusCode ?? 0)
  let seq = 0
  // readline throws what its input throws; the loop below must end in our words
  response.on('error', () => {})
  try {
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.startsWith('id: ')) seq = Number(line.slice(4))
      else if (line.startsWith('data: ')) yield { seq, json: line.slice(6) }
      else if (line.startsWith(': next ')) onNext(Number(line.slice(7)))
      else if (/^: (gone|ends) /.test(line)) onNote(noteOf(line.split(' ')))
    }
  } catch (error) {
    throw fail('NOT_RUNNING', `the run ended: ${messageOf(error)}`)
  } finally {
    gone.abort()
  }
  if (!response.complete) throw fail('NOT_RUNNING', 'the run ended')
}

function noteOf([, what, first, last]: string[]): string {
  if (what === 'ends') return `the log ends at ${first}, before the place asked for: was the store made anew?`
  return `events ${first} to ${last} are no longer on the log`
}

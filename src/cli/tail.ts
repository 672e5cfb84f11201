/**
 * `vedette tail`: asks the run if there is one, else reads the store itself. Following goes on across the end of one run and the
 * start of the next, each event once.
 */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type EventLine, eventLine, readableLine } from '../api/line.ts'
import { parseCount, parseFrom, type Scan, scan } from '../api/scan.ts'
import { systemClock } from '../core/clock.ts'
import { isVedetteError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import { findRun, withData } from './client.ts'
import { createOutput } from './output.ts'
import { type EventText, remoteEvents } from './remote.ts'

interface TailOptions {
  data: string
  source?: string
  namespace?: string
  entry?: string
  from?: Scan['from']
  limit?: number
  follow: boolean
  json: boolean
}

const RETRY_MS = 250
const note = (text: string): void => void process.stderr.write(`${printable(text)}\n`)

export default function register(program: Command): void {
  withData(
    program
      .command('tail')
      .description('events as they are on the bus; without --from or -n: those that come from now on')
      .option('--source <source>', 'only events of this EventSource')
      .option('--entry <entry>', 'only events of this entry')
      .option('--namespace <namespace>', 'only events of this namespace')
      .option('--from <place>', 'where to begin: start, now or a sequence number', parseFrom)
      .option('-n, --limit <count>', 'the last so many; with --from: the first so many', parseCount)
      .option('-f, --follow', 'do not end: wait for more', false)
      .option('--json', 'one line of JSON each: seq, time, subject, event', false),
  )
    .addHelpText(
      'after',
      `
Examples:
  vedette tail                              follow from now
  vedette tail -n 20                        the last 20
  vedette tail --from start --json          everything, as JSON
  vedette tail --source orders -n 5 -f      the last 5 of one EventSource, then what comes
  vedette tail --from 1200 -n 10            ten events, from sequence number 1200 on

Works also when nothing runs: then it reads the store.`,
    )
    .action(tail)
}

async function tail({ data, json, from, limit, follow, ...filter }: TailOptions): Promise<void> {
  const output = createOutput(process.stdout)
  const width = process.stdout.columns ?? 200
  const endless = follow || (from === undefined && limit === undefined)
  // what is still wanted; moves on with each event, so that a break loses and repeats nothing
  let next: Scan['from'] = from ?? (limit === undefined ? 'now' : undefined)
  let left = limit
  const lookingFrom = (seq: number) => {
    if (next === 'now') next = seq
  }
  for (let first = true; left !== 0; first = false) {
    const wanted: Scan = { ...filter, from: next, limit: left, follow: endless }
    const run = await findRun(data)
    try {
      const events =
        run === null ? storedEvents(data, wanted, lookingFrom) : remoteEvents(run, wanted, lookingFrom, note)
      for await (const { seq, json: text } of events) {
        await output.write(`${json ? printable(text) : readableLine(JSON.parse(text) as EventLine, width)}\n`)
        next = seq + 1
        left = from === undefined || left === undefined ? undefined : left - 1
      }
      if (!endless) break
    } catch (error) {
      if (!endless || (first && run === null) || !isVedetteError(error, 'NOT_RUNNING')) throw error
    }
    if (left === 0) break
    await output.flush()
    if (run !== null) note('the run has ended; waiting for the next (Ctrl-C ends this)')
    else if (first) note('nothing runs; waiting for a run (Ctrl-C ends this)')
    await systemClock.sleep(RETRY_MS)
  }
  await output.flush()
}

/** What the store holds, read without a bus process. @throws NOT_RUNNING when there is no store */
async function* storedEvents(data: string, wanted: Scan, onNext: (next: number) => void): AsyncGenerator<EventText> {
  const { openStoreReadOnly } = await import('../bus/embedded/readonly.ts')
  const store = await openStoreReadOnly(resolve(data))
  try {
    if (wanted.from === 'now') onNext((await store.state()).lastSeq + 1)
    if (wanted.from !== 'now' || !wanted.follow) {
      for await (const stored of scan(store, { ...wanted, follow: false }))
        yield { seq: stored.seq, json: eventLine(stored) }
    }
  } finally {
    await store.close()
  }
}

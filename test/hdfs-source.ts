/** The type `hdfs` served in the harness, for the tests of its parts. */
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { HdfsPosition } from '../src/sources/hdfs/serve.ts'
import hdfs from '../src/sources/hdfs.ts'
import { waitFor } from './faults/rig.ts'
import { endOf, type Harness, serveInHarness } from './harness.ts'

/** Name nodes are slow on a busy machine. */
const PATIENCE_MS = 60_000

export type ServedHdfs = Harness<HdfsPosition>

/**
 * Tells all that happens below `/in`, looked at every 100 ms.
 * @param urls of WebHDFS @param more fields of the entry
 * @param from what an earlier one left, see {@link goneOn}
 */
export function serveHdfs(
  t: TestContext,
  urls: string | string[],
  more: object = {},
  from: Parameters<typeof serveInHarness<any, HdfsPosition>>[2] = {},
): ServedHdfs {
  const harness = serveInHarness(
    hdfs,
    {
      directory: '/in',
      pathRegexp: '.',
      type: 'CREATE|WRITE|REMOVE|RENAME|CHMOD',
      checkInterval: '100ms',
      addresses: ['127.0.0.1:8020'],
      webhdfsAddresses: [urls].flat(),
      hdfsUser: 'root',
      ...more,
    },
    from,
  )
  t.after(() => harness.stop())
  return harness
}

/** The events, each as `<op> <name>`. */
export const told = ({ emitted }: ServedHdfs): string[] =>
  emitted.map(({ text }) => JSON.parse(text)).map(({ op, name }) => `${op} ${name}`)

/** Resolves when these are among the events. */
export const tells = (harness: ServedHdfs, lines: string[]): Promise<void> =>
  harness.until((h) => lines.every((line) => told(h).includes(line)), 20_000)

/** What the next one goes on from. */
export const goneOn = ({ snapshot, emitted, advanced }: ServedHdfs) => ({
  snapshot,
  resume: emitted.at(-1)?.position ?? advanced.at(-1) ?? null,
})

/** The words that it ends with. */
export const said = async (harness: ServedHdfs): Promise<string> => (await endOf(harness))?.message

/** Served anew whenever it ends by itself, as the runtime does. */
export interface KeptHdfs {
  /** What it ended with, each time. */
  readonly errors: string[]
  told(): string[]
  /** Resolves when this is among the events. */
  tells(line: string): Promise<void>
  /** Resolves when it has ended with such words since this was called. */
  says(words: RegExp): Promise<void>
  stop(): Promise<void>
}

export function keepServing(t: TestContext, urls: string[]): KeptHdfs {
  const runs: ServedHdfs[] = []
  const errors: string[] = []
  let stopped = false
  const run = async () => {
    let from: ReturnType<typeof goneOn> = { snapshot: null, resume: null }
    while (!stopped) {
      const one = serveHdfs(t, urls, {}, from)
      runs.push(one)
      const words = await said(one)
      if (words !== undefined) errors.push(words)
      const left = goneOn(one)
      from = { ...left, resume: left.resume ?? from.resume }
      await pause(50)
    }
  }
  const running = run()
  const all = () => runs.flatMap(told)
  return {
    errors,
    told: all,
    tells: (line) => waitFor(async () => all().includes(line), PATIENCE_MS),
    async says(words) {
      const from = errors.length
      await waitFor(async () => errors.slice(from).some((one) => words.test(one)), PATIENCE_MS)
    },
    async stop() {
      stopped = true
      await runs.at(-1)!.stop()
      await running
    },
  }
}

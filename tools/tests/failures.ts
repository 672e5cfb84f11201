/** What failed in a run of `node:test`, told from its events: what is to be run once more, and what was said about it. */

/** As `node:test` reports it. */
export interface TestEvent {
  name: string
  nesting: number
  file?: string
  details: { type?: string; error?: unknown }
}

/** A test that can be run alone: not one inside of another. */
export interface Failure {
  file: string
  /** The file's own path where it failed as a whole. */
  name: string
  /** Tests that count as failed because of it: itself, and those inside. */
  count: number
  log: string
}

export interface Failures {
  passed(event: TestEvent): void
  failed(event: TestEvent): void
  /** Something that a test has said. */
  said(event: { file?: string; message: string }): void
  all(): Failure[]
}

/** Of what a file has said, so much is kept. */
const MOST_SAID = 12_000

export function collectFailures(): Failures {
  const open = new Map<string, { name: string; nesting: number; count: number; log: string }[]>()
  const settled: Failure[] = []
  const said = new Map<string, string>()

  const of = (file: string) => {
    const found = open.get(file) ?? []
    open.set(file, found)
    return found
  }
  /** Those above `nesting` are of a suite or test that has ended now. */
  const take = (file: string, nesting: number) => {
    const mine = of(file)
    let from = mine.length
    while (from > 0 && mine[from - 1]!.nesting > nesting) from--
    return mine.splice(from)
  }
  const settle = (file: string, nesting: number) => {
    for (const { name, count, log } of take(file, nesting)) settled.push({ file, name, count, log })
  }
  return {
    passed({ file = '', nesting }) {
      settle(file, nesting)
    },
    failed({ file = '', name, nesting, details: { type, error } }) {
      if (type === 'suite' && !isOf(error, 'hookFailed')) return settle(file, nesting)
      if (type === 'suite') {
        // None of its tests has run: one cause, and what was to be done before them all is the file's.
        const count = take(file, nesting).reduce((sum, { count }) => sum + count, 0)
        settled.push({ file, name: file, count, log: textOf(error) })
        return
      }
      const inside = isOf(error, 'subtestsFailed') ? take(file, nesting) : []
      if (inside.length === 0) settle(file, nesting)
      const log = [...inside.map((one) => one.log), `${textOf(error)}\n${said.get(file) ?? ''}`.trim()].join('\n')
      of(file).push({ name, nesting, count: 1 + inside.reduce((sum, { count }) => sum + count, 0), log })
    },
    said({ file = '', message }) {
      said.set(file, `${said.get(file) ?? ''}${message}\n`.slice(-MOST_SAID))
    },
    all() {
      for (const file of open.keys()) settle(file, -1)
      return settled
    },
  }
}

const isOf = (error: unknown, type: string): boolean =>
  (error as { failureType?: string } | undefined)?.failureType === type

function textOf(error: unknown): string {
  const { cause } = (error ?? {}) as { cause?: unknown }
  const thrown = cause ?? error
  return thrown instanceof Error ? `${thrown.stack}` : String(thrown)
}

/** An entry of test/flaky.md. */
export function flakyEntry({ file, name, log }: Failure, at: string): string {
  return `## \`${file}\`: ${name}\n\n${at}\n\n\`\`\`\n${log.replaceAll('```', "'''")}\n\`\`\`\n`
}

/** docs/campaign.jsonl, a line for each run, and docs/campaign.md, which is made of it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { pageOf } from './page.ts'
import type { Recorded } from './record.ts'

const DATA = new URL('../../docs/campaign.jsonl', import.meta.url)
const PAGE = new URL('../../docs/campaign.md', import.meta.url)

const linesIn = (file: string | URL): Recorded[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Recorded)
    : []

/** Adds runs that are not there yet. @param file as `--out` wrote it. @returns what was done, in words */
export function writePage(file: string): string {
  const keyOf = ({ seed, commit, bus, origins, tookMs }: Recorded) =>
    JSON.stringify([seed, commit, bus, origins, tookMs])
  const runs = new Map(linesIn(DATA).map((run) => [keyOf(run), run]))
  // Where it was kept says nothing elsewhere.
  for (const { kept: _, ...run } of linesIn(file)) runs.set(keyOf(run), run)
  const all = [...runs.values()]
  writeFileSync(DATA, all.map((run) => `${JSON.stringify(run)}\n`).join(''))
  writeFileSync(PAGE, pageOf(all))
  return `docs/campaign.md: ${all.length} runs`
}

/** The page as it stands, and as its data have it. */
export const pages = (): { written: string; made: string } => ({
  written: existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '',
  made: pageOf(linesIn(DATA)),
})

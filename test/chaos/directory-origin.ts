/** A directory in which files come, change and go: the creation of each that is there in the end is told once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { startWork, type Worker } from '../faults/directory.ts'
import { dataOf, type Line } from '../faults/rig.ts'
import type { Origin } from './origin.ts'
import type { Scope } from './scope.ts'
import { TRAITS } from './traits.ts'

const PER_SECOND = 60
const nameOf = (line: Line) => basename((dataOf(line) as { name: string }).name)

export function directoryOrigin(scope: Scope, random: () => number): Origin {
  const directory = mkdtempSync(join(tmpdir(), 'vedette-watched-'))
  const made: string[] = []
  let worker: Worker | null = null
  /** Those are told too, but when they came nobody may have looked yet. */
  const probes = new Set<string>()
  return {
    name: 'file',
    traits: TRAITS.file!,
    type: 'file',
    spec: `eventType: CREATE\nwatchPathConfig:\n  directory: ${directory}\n  pathRegexp: .*\n`,
    documents: [],
    env: {},
    broker: null,
    proxy: null,
    begin() {},
    // The very first look tells nothing of what it finds.
    served() {
      worker = startWork(scope, directory, [], PER_SECOND, random)
    },
    fresh() {
      // Many, since the first look may not have been yet.
      const from = made.length
      const timer = setInterval(() => {
        const name = `probe-${made.length}`
        writeFileSync(join(directory, name), name)
        made.push(name)
        probes.add(name)
      }, 250)
      scope.after(() => clearInterval(timer))
      return (line) => {
        const seen = made.indexOf(nameOf(line)) >= from
        if (seen) clearInterval(timer)
        return seen
      }
    },
    async stop() {
      worker?.stop()
    },
    told: () => `${made.length + (worker?.present.size ?? 0)} files made`,
    judge(lines) {
      const told = new Map<string, number>()
      for (const name of lines.map(nameOf)) told.set(name, (told.get(name) ?? 0) + 1)
      const present = [...worker!.present]
      const lost = present.filter((name) => !told.has(name))
      const doubled = [...told].filter(([, times]) => times > 1).map(([name]) => name)
      const { removed, renamed } = worker!
      const strange = [...told.keys()].filter(
        (name) => !(probes.has(name) || worker!.present.has(name) || removed.has(name) || renamed.has(name)),
      )
      const say = (names: string[], what: string) =>
        names.length === 0 ? [] : [`file: ${names.length} ${what}: ${names.slice(0, 8).join(', ')}`]
      return {
        promised: present.length,
        copies: 0,
        violations: [
          ...say(lost, 'files are there and nothing told of it'),
          ...say(doubled, 'files were told of more than once'),
          ...say(strange, 'files were told of that never were'),
        ],
      }
    },
    async close() {
      worker?.stop()
      rmSync(directory, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/**
 * Somebody who works in a directory while it is watched: makes, writes, renames and removes files, and remembers what was done.
 * No name is ever used twice, so each event on the log can be held against what happened to its file.
 */
import { appendFileSync, mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface Work {
  /** Names that are there. */
  readonly present: Set<string>
  readonly removed: Set<string>
  /** Old name to new name. */
  readonly renamed: Map<string, string>
  readonly written: Set<string>
}

export interface Worker extends Work {
  /** Makes so many files within this turn. */
  burst(count: number): void
  stop(): void
}

/** Files that are there long enough for everybody to know them: what happens to these is told, whoever dies meanwhile. */
export function makeKnown(directory: string, count: number): string[] {
  mkdirSync(directory, { recursive: true })
  const names = Array.from({ length: count }, (_, i) => `known-${i}`)
  for (const name of names) writeFileSync(join(directory, name), name)
  return names
}

/** Starts to work in `directory`: about `perSecond` things done, in small groups as programs do them. */
export function startWork(
  t: Pick<TestContext, 'after'>,
  directory: string,
  known: string[],
  perSecond: number,
  random: () => number = Math.random,
): Worker {
  const work: Work = { present: new Set(known), removed: new Set(), renamed: new Map(), written: new Set() }
  /** Files of this run, oldest first: they live for some hundred turns of the worker. */
  const young: string[] = []
  const left = [...known]
  let made = 0
  const path = (name: string) => join(directory, name)
  const make = () => {
    const name = `new-${made++}`
    writeFileSync(path(name), name)
    work.present.add(name)
    young.push(name)
  }
  const change = (name: string) => {
    const kind = Math.floor(random() * 3)
    if (kind === 0) {
      unlinkSync(path(name))
      work.present.delete(name)
      work.removed.add(name)
    } else if (kind === 1) {
      const to = `moved-${name}`
      renameSync(path(name), path(to))
      work.present.delete(name)
      work.present.add(to)
      work.renamed.set(name, to)
    } else {
      appendFileSync(path(name), ' and more')
      work.written.add(name)
    }
  }
  const everyMs = 10
  const timer = setInterval(() => {
    for (let i = 0; i < (perSecond * everyMs) / 1000; i++) {
      if (random() < 0.6) make()
      else if (young.length > 0) change(young.splice(Math.floor(random() * young.length), 1)[0]!)
    }
    if (left.length > 0 && random() < 0.25) change(left.pop()!)
  }, everyMs)
  t.after(() => clearInterval(timer))
  return {
    ...work,
    burst(count) {
      for (let i = 0; i < count; i++) make()
    },
    stop: () => clearInterval(timer),
  }
}

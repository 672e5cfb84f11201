/** Leaders that die in the middle of telling, while the directory goes on changing: nothing lost, nothing doubled. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type AnyContext, following, serveInHarness } from '../../../test/harness.ts'
import file from '../file.ts'
import { type FilePlan, type FilePosition, serveDirectory } from './serve.ts'

/** What survives the death of a leader: the log, the last position and the last snapshot. */
interface Durable {
  log: { id: string; text: string }[]
  position: FilePosition | null
  snapshot: Uint8Array | null
}

/** A repeatable random number from 0 to `below` - 1 (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let a = seed
  return (below) => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** Serves until `most` more events are stored, then is dead: nothing that it does has an effect any more. */
function leader(durable: Durable, plan: FilePlan, most: number) {
  let left = most
  const alive = () => {
    if (left <= 0) throw new Error('dead')
  }
  const harness = serveInHarness<unknown, FilePosition>(
    {
      ...following(file as object as typeof file & { spec: never }),
      serve: (ctx: AnyContext<unknown, FilePosition>) =>
        serveDirectory(
          {
            ...ctx,
            resume: () => durable.position,
            async emit({ data, id, position }) {
              alive()
              left--
              durable.log.push({ id: id!, text: String(data) })
              durable.position = position!
              ctx.condition('stored')
              return { id: id!, outcome: 'stored' }
            },
            async advance(position) {
              alive()
              durable.position = position
            },
            snapshot: {
              load: async () => durable.snapshot,
              async save(bytes) {
                alive()
                durable.snapshot = bytes
              },
            },
          },
          plan,
        ),
    },
    { eventType: 'CREATE', watchPathConfig: { directory: plan.directory, pathRegexp: '.' } },
  )
  return { harness, dead: () => left <= 0 }
}

/** @param away where files are moved to and from; null: nothing is moved or renamed */
function changeSomething(dir: string, away: string | null, random: (below: number) => number): void {
  const name = () => `f${random(12)}`
  const path = () => join(dir, name())
  const quiet = (work: () => void) => {
    try {
      work()
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT')
    }
  }
  const kind = random(20)
  if (kind < 8) writeFileSync(path(), 'x'.repeat(random(3)))
  else if (kind < 12) quiet(() => rmSync(path()))
  else if (kind < 17 && away === null) return
  else if (kind < 15) quiet(() => renameSync(path(), path()))
  else if (kind < 16) quiet(() => renameSync(path(), join(away!, name())))
  else if (kind < 17) quiet(() => renameSync(join(away!, name()), path()))
  else if (kind < 18) for (let i = 0; i < 30; i++) writeFileSync(join(dir, `bulk${i}`), '')
  else if (kind < 19) for (let i = 0; i < 30; i++) rmSync(join(dir, `bulk${i}`), { force: true })
}

for (const polling of [false, true]) {
  for (const seed of [1, 2, 3, 4]) {
    test(`seed ${seed}, polling ${polling}`, { timeout: 60_000 }, async () => {
      const root = mkdtempSync(join(tmpdir(), 'vedette-crash-'))
      const dir = join(root, 'dir')
      // polling does not say what a file was renamed to, so the names could not be followed
      const away = polling ? null : join(root, 'away')
      mkdirSync(dir)
      if (away !== null) mkdirSync(away)
      try {
        const random = randomOf(seed)
        writeFileSync(join(dir, 'f1'), 'there from the start')
        const durable: Durable = { log: [], position: null, snapshot: null }
        const plan: FilePlan = {
          directory: dir,
          polling,
          identity: dir,
          wants: (_, name) => name !== '',
          payload: (op, name) => `${op} ${name}`,
        }
        for (let life = 0; life < 8; life++) {
          const last = life === 7
          const { harness, dead } = leader(durable, plan, last ? Number.POSITIVE_INFINITY : 1 + random(25))
          await harness.until((h) => durable.snapshot !== null && (dead() || h.conditions.length > 0))
          for (let step = 0; step < 60 && !dead(); step++) {
            changeSomething(dir, away, random)
            await pause(random(12))
          }
          if (last) {
            writeFileSync(join(dir, 'end'), '')
            await harness.until(() => durable.log.some(({ text }) => text === 'CREATE end'), 10_000)
            assert.equal(await harness.stop(), undefined)
          } else {
            await harness.stop()
            // nobody serves for a moment
            for (let step = 0; step < 5; step++) changeSomething(dir, away, random)
          }
        }
        const ids = durable.log.map(({ id }) => id)
        assert.equal(new Set(ids).size, ids.length, 'an event was stored twice')
        assert.ok(ids.length > 50, `only ${ids.length} events: the run shows nothing`)
        const names = new Set(['f1'])
        for (const { text } of durable.log) {
          const [op, name] = text.split(' ') as [string, string]
          if (op === 'CREATE') names.add(name)
          if (op === 'REMOVE' || op === 'RENAME') assert.ok(names.delete(name), `${text}: was not there`)
        }
        assert.deepEqual([...names].sort(), readdirSync(dir).sort())
      } finally {
        rmSync(root, { recursive: true, force: true })
      }
    })
  }
}

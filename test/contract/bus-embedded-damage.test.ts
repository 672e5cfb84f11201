/**
 * What makes a run refuse a store makes the doctor find something and the repair save it, with real processes and lmdb itself: damages drawn by
 * a seed (damage.ts). What the pages alone say of many more: src/bus/embedded/rebuild.test.ts.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { checkStore, repairStore } from '../../src/bus/embedded/check.ts'
import { connectEmbedded } from '../../src/bus/embedded/client.ts'
import { openStoreReadOnly } from '../../src/bus/embedded/readonly.ts'
import { systemClock } from '../../src/core/clock.ts'
import { isVedetteError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/log.ts'
import { startBusProcess } from '../../src/local/busProcess.ts'
import { FULL } from '../full.ts'
import { event, readAll, until } from './bus.ts'
import { type Built, buildStore, damage, layOut, randomOf, survivorsOf } from './damage.ts'

const CASES = Number(process.env.VEDETTE_CASES ?? (FULL ? 250 : 10))
/** A fresh one in the full run: what that finds is a case of its own. */
const FRESH = FULL ? Math.floor(Math.random() * 2 ** 31) : 20261130
const SEED = Number(process.env.VEDETTE_SEED ?? FRESH)
const SOURCE = { namespace: 'default', name: 'source-0' }

/** What a run does with a store: starts its bus, stores an event, reads everything. @returns why it cannot, or null and the events */
async function run(dir: string): Promise<{ refusal: string | null; events: Map<number, string> }> {
  const events = new Map<number, string>()
  const socket = join(dir, 'bus.sock')
  let refusal: string | null = null
  let bus: Awaited<ReturnType<typeof startBusProcess>>
  try {
    bus = await startBusProcess({ dir, socket, clock: systemClock, log: silentLogger, onPid() {} })
  } catch (error) {
    if (!isVedetteError(error)) throw error
    return { refusal: `${error.code}: ${error.message}`, events }
  }
  const { incarnation } = bus
  const client = connectEmbedded({ socket, incarnation, session: 't', clock: systemClock, log: silentLogger })
  try {
    await until('the client is connected', () => client.status().connected || bus.restarts > 0, 60_000)
    for (let n = 0; n < 4; n++) {
      const outcomes = await Promise.race([
        client.append(SOURCE, [event(`after-${n}-${Math.random()}`, { event: Buffer.alloc(n * 3000) })]),
        bus.failed,
      ])
      if (outcomes[0]?.outcome !== 'stored') {
        // Its process has ended over it: the next start looks first, and says why there is none.
        await Promise.race([bus.failed, pause(20_000)])
        throw new Error(JSON.stringify(outcomes[0]))
      }
    }
    for (const { seq, id } of await readAll(client, {})) events.set(seq, id)
    if (bus.restarts > 0) refusal = 'its bus process ended'
  } catch (error) {
    refusal = `later: ${(error as Error).message}`
  }
  await client.close()
  await bus.stop()
  return { refusal, events }
}

/** Nothing at all, or a sentence: never the end of this process. */
async function tailFails(dir: string): Promise<string | null> {
  try {
    const store = await openStoreReadOnly(dir)
    try {
      await readAll(store as never, {})
    } finally {
      await store.close()
    }
    return null
  } catch (error) {
    assert.ok(isVedetteError(error, 'STORE_CORRUPT', 'NOT_RUNNING', 'STORE_TOO_NEW'), `tail: ${error}`)
    return error.message
  }
}

async function judge(built: Built, seed: number, t: { refused: number; found: number; lost: number }) {
  const damaged = damage(built, randomOf(seed))
  const dir = mkdtempSync(join(tmpdir(), 'vdam-'))
  const told = `VEDETTE_SEED=${seed}: ${damaged.what}`
  try {
    layOut(built, damaged, dir)
    const found = await checkStore(dir)
    assert.deepEqual(readIf(join(dir, 'data.mdb')), damaged.file, `looking has written; ${told}`)
    const tail = await tailFails(dir)
    // a run may write, and what it writes may cost what a repair would have saved: it gets a copy
    const copy = mkdtempSync(join(tmpdir(), 'vdam-'))
    layOut(built, damaged, copy)
    const { refusal, events } = await run(copy)
    rmSync(copy, { recursive: true, force: true })
    if (refusal !== null) t.refused++
    if (found.problems.length > 0) t.found++
    const wrong = refusal ?? tail
    if (wrong !== null) assert.ok(found.problems.length > 0, `the doctor finds nothing, but ${wrong}; ${told}`)
    if (refusal !== null) assert.match(refusal, /doctor|damaged|STORE_CORRUPT|ended/, `${told}: no way back is told`)
    if (found.problems.length === 0) {
      for (const [seq, { id }] of built.events)
        assert.equal(events.get(seq), id, `sound, and event ${seq} is not there; ${told}`)
      return
    }
    const repaired = await repairStore(dir)
    const after = await run(dir)
    assert.equal(after.refusal, null, `refused after the repair; ${told}`)
    const missing = survivorsOf(built, damaged.file).filter(
      (seq) => after.events.get(seq) !== built.events.get(seq)?.id,
    )
    assert.deepEqual(missing, [], `not saved; ${told}`)
    const lost = [...built.events.keys()].filter((seq) => !after.events.has(seq)).length
    t.lost += lost
    assert.match(repaired.text, repaired.lost === null ? /cannot be told/ : new RegExp(`${repaired.lost} lost`), told)
    assert.ok(readdirSync(repaired.damaged).includes('data.mdb'), told)
    assert.equal(await tailFails(dir), null, told)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function readIf(file: string): Buffer | null {
  try {
    return readFileSync(file)
  } catch {
    return null
  }
}

suite('embedded bus: what a run refuses, the doctor explains and mends', { timeout: 3_600_000 }, () => {
  test(`${CASES} damages`, async (t) => {
    t.diagnostic(`VEDETTE_SEED=${SEED}`)
    const built = await buildStore(randomOf(SEED), { rewrites: SEED % 2 === 0 })
    const counts = { refused: 0, found: 0, lost: 0 }
    for (let n = 0; n < CASES; n++) await judge(built, SEED + n, counts)
    t.diagnostic(
      `${CASES} damages: ${counts.refused} refused by a run, ${counts.found} found by the doctor, ${counts.lost} events lost`,
    )
  })
})

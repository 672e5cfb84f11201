import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fdatasyncSync, mkdirSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { styleText } from 'node:util'
import type { Command } from 'commander'
import { notServedLine } from '../api/served.ts'
import type { Status } from '../api/status.ts'
import { checkStore, repairStore, type StoreRepair } from '../bus/embedded/check.ts'
import { GONE_HINT } from '../bus/embedded/encoding.ts'
import { DATA_FILE, inspectHeader } from '../bus/embedded/header.ts'
import { STORE_FORMAT } from '../bus/embedded/store.ts'
import { runningBus } from '../bus/embedded/takeover.ts'
import { systemClock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import { openFresh } from '../core/own-files.ts'
import { printable } from '../core/printable.ts'
import { type Redactor, redactedIn } from '../core/redact.ts'
import { takeDataDir } from '../local/dataDir.ts'
import { transportWords } from '../runtime/transport.ts'
import { call, findRun, withData } from './client.ts'
import { createProgress, type Tell } from './progress.ts'

/** One thing looked at. */
export interface Check {
  name: string
  ok: boolean
  /** What was found. */
  message: string
  /** What to do, when it is not ok, or could be better. */
  remedy?: string
}

const OLDEST_NODE = 24
const LEAST_FREE_BYTES = 256 << 20
/** Each emit waits for the disk at least once: beyond this, even few events are slow. */
const SLOW_SYNC_MS = 50
const SYNCS = 15
/** statfs(2): file systems over which lmdb's shared memory map does not hold. */
const NETWORK_FILE_SYSTEMS = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
])
/** A clock may be this far behind what it said when the store was last written. */
const CLOCK_SLACK_MS = 5000

export default function register(program: Command, { redact }: Redactor): void {
  withData(
    program
      .command('doctor')
      .description('look for what would keep a run from working, and repair a damaged store')
      .option(
        '--repair',
        'save every readable record of a damaged store into a new one; the damaged one is kept',
        false,
      )
      .option('--json', 'as JSON, for programs', false),
  )
    .addHelpText('after', '\nExamples:\n  vedette doctor\n  vedette doctor --repair --data /var/lib/vedette')
    .action(async ({ data, repair, json }: { data: string; repair: boolean; json: boolean }) => {
      const dir = resolve(data)
      const tell = createProgress(process.stderr, systemClock)
      const repaired = repair ? await repairIfDamaged(dir, tell) : null
      const checks = redactedIn(await examine(dir, tell), redact)
      tell.end()
      const ok = checks.every((check) => check.ok)
      const said = json ? JSON.stringify({ ok, checks, repaired }) : report(checks, repaired, repair)
      process.stdout.write(`${said}\n`)
      process.exitCode = ok ? 0 : 1
    })
}

/** All checks, in the order in which their failures explain each other. */
export async function examine(dir: string, tell: Tell = () => {}): Promise<Check[]> {
  const checks = [checkNode(), checkDirectory(dir), checkDisk(dir), checkSync(dir), await checkRun(dir)]
  return [...checks, ...(await checkBus(dir)), await checkContent(dir, tell), checkClock(dir)]
}

/**
 * @returns null when there was nothing to repair
 * @throws DATA_DIR_IN_USE a run has the directory
 */
async function repairIfDamaged(dir: string, tell: Tell): Promise<StoreRepair | null> {
  if (inspectHeader(dir).state === 'missing') return null
  const taken = await takeDataDir(dir)
  try {
    const orphan = runningBus(dir)
    if (orphan !== null)
      throw fail('DATA_DIR_IN_USE', `process ${orphan} has the store open: end it, then repair again`)
    const looking = (at: string, records: number, of: number) => tell('looking through the store', at, records, of)
    const saving = (at: string, records: number, of: number) => tell('saving what can be read', at, records, of)
    const { problems } = await checkStore(dir, { onProgress: looking })
    return problems.length === 0 ? null : await repairStore(dir, { onProgress: saving })
  } finally {
    await taken.release()
  }
}

function report(checks: Check[], repaired: StoreRepair | null, asked: boolean): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    styleText(style, text, { stream: process.stdout })
  const width = Math.max(...checks.map(({ name }) => name.length))
  const lines = checks.map(({ name, ok, message, remedy }) => {
    const mark = ok ? paint('green', 'ok  ') : paint('red', 'FAIL')
    const line = `${mark} ${name.padEnd(width)}  ${printable(message)}`
    return remedy === undefined ? line : `${line}\n     ${' '.repeat(width)}  ${paint('yellow', remedy)}`
  })
  if (repaired !== null) {
    lines.push(`repaired: ${repaired.text}; the damaged store is kept in ${repaired.damaged}`)
  } else if (asked) lines.push('nothing to repair')
  return lines.join('\n')
}

function checkNode(): Check {
  const found = process.versions.node
  const ok = Number(found.split('.')[0]) >= OLDEST_NODE
  const message = `Node.js ${found} on ${process.platform} ${process.arch}`
  return ok
    ? { name: 'node', ok, message }
    : { name: 'node', ok, message, remedy: `use Node.js ${OLDEST_NODE} or later` }
}

function checkDirectory(dir: string): Check {
  const name = 'data directory'
  if (!existsSync(dir)) {
    const parent = nearestExisting(dir)
    return tried(name, `${dir} is not there yet and can be made`, `make it, or allow writing in ${parent}`, () =>
      tryWriting(parent),
    )
  }
  return tried(name, `${dir} can be written`, 'give this user the directory, or choose another with --data', () =>
    tryWriting(dir),
  )
}

function checkDisk(dir: string): Check {
  const at = nearestExisting(dir)
  const { bavail, bsize, type } = statfsSync(at)
  const free = bavail * bsize
  const network = NETWORK_FILE_SYSTEMS.get(type)
  if (network !== undefined) {
    const message = `${at} is on ${network}, where the store is not safe`
    return { name: 'disk', ok: false, message, remedy: 'choose a directory on a local disk with --data' }
  }
  const message = `${formatBytes(free)} free`
  if (free >= LEAST_FREE_BYTES) return { name: 'disk', ok: true, message }
  return {
    name: 'disk',
    ok: false,
    message,
    remedy: `free at least ${formatBytes(LEAST_FREE_BYTES)}: a full disk refuses events`,
  }
}

/** How long the disk takes to hold something for good. */
function checkSync(dir: string): Check {
  const file = join(nearestExisting(dir), `.vedette-doctor-${randomBytes(8).toString('hex')}`)
  const remedy = 'choose a faster disk with --data: every event waits for this once'
  try {
    const handle = openFresh(file)
    try {
      const times = Array.from({ length: SYNCS }, (_, i) => {
        const start = systemClock.monotonic()
        writeSync(handle, Buffer.alloc(4096, i), 0, 4096, i * 4096)
        fdatasyncSync(handle)
        return systemClock.monotonic() - start
      }).sort((a, b) => a - b)
      const median = times[SYNCS >> 1] as number
      const message = `a write is on disk after ${median.toFixed(2)} ms (median of ${SYNCS}, worst ${times.at(-1)?.toFixed(2)} ms)`
      return median < SLOW_SYNC_MS
        ? { name: 'fsync', ok: true, message }
        : { name: 'fsync', ok: false, message, remedy }
    } finally {
      closeSync(handle)
      rmSync(file, { force: true })
    }
  } catch (error) {
    return { name: 'fsync', ok: false, message: messageOf(error), remedy }
  }
}

async function checkRun(dir: string): Promise<Check> {
  const record = await findRun(dir)
  const bus = runningBus(dir)
  if (record !== null)
    return { name: 'run', ok: true, message: `a run has the directory (process ${record.supervisor.pid})` }
  if (bus === null) return { name: 'run', ok: true, message: 'nothing runs' }
  const message = `process ${bus} holds the store, but there is no run`
  return { name: 'run', ok: false, message, remedy: `the next \`vedette run\` ends it; or end it now: kill -9 ${bus}` }
}

/** The bus as the run sees it. */
async function checkBus(dir: string): Promise<Check[]> {
  const record = await findRun(dir)
  const status = record === null ? null : await call<Status>(record, '/v1/status').catch(() => null)
  if (status === null) return []
  const { kind, connected, error, transport } = status.bus
  if (!connected) {
    const message = `${kind} does not answer: ${error}`
    return [
      { name: 'bus', ok: false, message, remedy: 'senders get 503 meanwhile; it goes on by itself when it is back' },
    ]
  }
  const words = transport === undefined ? undefined : transportWords[transport]
  const message = words === undefined ? `${kind} answers` : `${kind} answers; ${words.text}`
  const answers = { name: 'bus', ok: true, message, ...(words?.remedy === undefined ? {} : { remedy: words.remedy }) }
  return [answers, checkEntries(status)]
}

/** A run that goes on is not yet one that serves. */
function checkEntries({ notServed, eventSources }: Pick<Status, 'notServed' | 'eventSources'>): Check {
  const all = eventSources.reduce((sum, { entries }) => sum + entries.length, 0)
  if (notServed.length === 0) return { name: 'entries', ok: true, message: `${all} served` }
  const message = `${notServed.length} of ${all} not served: ${notServed.map(notServedLine).join('; ')}`
  return { name: 'entries', ok: false, message, remedy: 'each is tried for ever, and is served as soon as it can be' }
}

async function checkContent(dir: string, tell: Tell): Promise<Check> {
  const header = inspectHeader(dir)
  if (header.state === 'missing') return { name: 'store', ok: true, message: 'no store yet' }
  if (header.state === 'gone') {
    return { name: 'store', ok: false, message: header.why, remedy: GONE_HINT }
  }
  const live = runningBus(dir) !== null
  const onProgress = (at: string, records: number, of: number) => tell('looking through the store', at, records, of)
  const { format, records, problems } = await checkStore(dir, { live, onProgress })
  const [first] = problems
  if (first !== undefined) {
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
    const remedy =
      'stop the run, then `vedette doctor --repair` saves every readable record and keeps the damaged store'
    return { name: 'store', ok: false, message: `damaged: ${first}${more}`, remedy }
  }
  if (format > STORE_FORMAT) {
    const message = `format ${format}, newer than ${STORE_FORMAT}`
    return { name: 'store', ok: false, message, remedy: 'use the version of vedette that wrote it, or a later one' }
  }
  return { name: 'store', ok: true, message: `sound, format ${format || STORE_FORMAT}, ${records} events` }
}

function checkClock(dir: string): Check {
  const now = systemClock.now()
  const message = new Date(now).toISOString()
  const file = join(dir, DATA_FILE)
  const written = existsSync(file) ? statSync(file).mtimeMs : 0
  if (now >= written - CLOCK_SLACK_MS) return { name: 'clock', ok: true, message }
  return {
    name: 'clock',
    ok: false,
    message: `${message}, but the store was written at ${new Date(written).toISOString()}`,
    remedy: 'set the clock (NTP): schedules and event times follow it',
  }
}

function tried(name: string, message: string, remedy: string, work: () => void): Check {
  try {
    work()
    return { name, ok: true, message }
  } catch (error) {
    return { name, ok: false, message: messageOf(error), remedy }
  }
}

function tryWriting(dir: string): void {
  const probe = join(dir, `.vedette-doctor-${process.pid}`)
  mkdirSync(probe)
  rmSync(probe, { recursive: true })
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))
}

function formatBytes(bytes: number): string {
  return bytes >= 1 << 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`
}

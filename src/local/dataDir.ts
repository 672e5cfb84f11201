/**
 * The data directory of a run: who has it, and how others find the one who has. `run.json` is both the lock and the address book. It is
 * made by `link`, which fails when the name exists; a dead owner's file is moved away first, never overwritten.
 */
import { randomBytes } from 'node:crypto'
import { link, lstat, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock } from '../core/clock.ts'
import { fail, isVedetteError } from '../core/errors.ts'
import { isLeftover, OWN_WRITE, ownDirectory, readOwnFile, replaceOwnFile } from '../core/own-files.ts'
import { identify, isAlive, killForGood, type ProcessIdentity } from '../core/processes.ts'
import { ofDisk } from './disk.ts'

/** What `run.json` holds. */
export interface RunRecord {
  supervisor: ProcessIdentity
  startedAt: string
  /** `host:port` of the API; empty until it listens. */
  api: string
  /** What POSTs to the API must carry. */
  token: string
  /** The control socket: the API for the directory's owner. */
  control: string
  /** Processes of this run, and of a dead run before it that are not yet known to be gone. */
  children: ProcessIdentity[]
}

/** How often it is looked whether others who start at the same moment are through. */
const DECIDES_MS = 5
const MOST_LOOKS = 400
/** The longest path that every platform takes for a unix socket (macOS: 104 bytes with the final zero). */
const LONGEST_SOCKET_PATH = 100

export interface DataDir {
  /** Absolute. */
  readonly dir: string
  readonly record: RunRecord
  /** A path for a unix socket: in the directory, or in a private one under the temporary directory when that would be too long. */
  socket(name: string): string
  update(change: Partial<RunRecord>): Promise<void>
  /** Removes the record and the sockets. */
  release(): Promise<void>
}

/**
 * Takes the directory, makes it if needed (0700), and kills what a dead run left behind.
 * @throws DATA_DIR_IN_USE naming the process that has it; BUS_FULL, USAGE what the file system refuses, and a directory that others can change
 */
export const takeDataDir = (path: string): Promise<DataDir> =>
  take(path).catch((error: unknown) => {
    throw ofDisk(error, path)
  })

async function take(path: string): Promise<DataDir> {
  const dir = await ownDirectory(path, 'the data directory').catch((error: NodeJS.ErrnoException) => {
    if (isVedetteError(error)) throw error
    throw fail('USAGE', `cannot make the data directory ${resolve(path)} (${error.code}): give another with --data`)
  })
  const self = identify(process.pid)
  if (self === null) throw fail('BUG', 'this process cannot be identified: neither /proc nor ps works here')
  const sockets =
    Buffer.byteLength(join(dir, 'control.sock')) <= LONGEST_SOCKET_PATH
      ? dir
      : await mkdtemp(join(tmpdir(), 'vedette-'))
  let record: RunRecord = {
    supervisor: self,
    startedAt: new Date(systemClock.now()).toISOString(),
    api: '',
    token: randomBytes(24).toString('base64url'),
    control: join(sockets, 'control.sock'),
    children: [],
  }
  const leftOver = await lock(dir, record)
  const file = join(dir, 'run.json')
  record = { ...record, children: leftOver }
  for (const orphan of leftOver) {
    if (await killForGood(orphan, dir)) continue
    await rm(file, { force: true })
    throw fail('DATA_DIR_IN_USE', `process ${orphan.pid} of an earlier run in ${dir} cannot be killed: end it by hand`)
  }
  for (const name of await readdir(dir)) if (isLeftover(name, 'run.json')) await rm(join(dir, name), { force: true })
  await rm(record.control, { force: true })

  let writing: Promise<void> = Promise.resolve()
  const update = (change: Partial<RunRecord>): Promise<void> => {
    record = { ...record, ...change }
    const text = `${JSON.stringify(record, null, 2)}\n`
    // one that failed (the disk is full) does not keep the next from being written
    writing = writing.catch(() => {}).then(() => replaceOwnFile(file, text))
    return writing
  }
  await update({ children: [] })
  return {
    dir,
    get record() {
      return record
    },
    socket: (name) => join(sockets, name),
    update,
    async release() {
      await writing.catch(() => {})
      await rm(record.control, { force: true })
      if (sockets !== dir) await rm(sockets, { recursive: true, force: true })
      await rm(file, { force: true })
    },
  }
}

/** Makes run.json ours. @returns what the dead run before left: its children that may still live */
async function lock(dir: string, record: RunRecord): Promise<ProcessIdentity[]> {
  const file = join(dir, 'run.json')
  const mine = join(dir, `run.json.${process.pid}.${randomBytes(4).toString('hex')}`)
  try {
    for (let attempt = 0; attempt < 20; attempt++) {
      // Before anything is looked at: who has made it his waits for all who may have looked earlier.
      await writeFile(mine, '', { mode: 0o600, flag: OWN_WRITE })
      const before = await readRecord(dir)
      if (before !== null) await refuseIfUsed(dir, before)
      const leftOver = before?.children ?? []
      // the next owner must still know of them if this process dies before it has killed them
      await writeFile(mine, JSON.stringify({ ...record, children: leftOver }), { mode: 0o600, flag: OWN_WRITE })
      if (before !== null || (await exists(file))) {
        const stale = `${mine}.stale`
        await rename(file, stale).catch(ignoreMissing)
        const moved = await readOwnFile(stale).then(parseRecord, () => null)
        if (moved !== null && moved.token !== before?.token) {
          // somebody else was faster and this is his: give it back
          await link(stale, file).catch(() => {})
          await rm(stale, { force: true })
          continue
        }
        await rm(stale, { force: true })
      }
      try {
        await link(mine, file)
        await rm(mine, { force: true })
        await othersHaveDecided(dir)
        // Moved away as a dead one's by somebody who had looked before, and in the time until he gives it back taken by another.
        if ((await readRecord(dir))?.token === record.token) return leftOver
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
    }
  } finally {
    await rm(mine, { force: true })
  }
  throw fail('DATA_DIR_IN_USE', `several processes are starting in ${dir} at once: start one`)
}

/** Resolves when nobody is within {@link lock}; each who is has a file there, and is soon through (or frozen, and not waited for). */
async function othersHaveDecided(dir: string): Promise<void> {
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const files = (await readdir(dir)).filter((name) => /^run\.json\.\d+\.[0-9a-f]{8}$/.test(name))
    const others = files.map((name) => ({ file: join(dir, name), pid: Number(name.split('.')[2]) }))
    for (const { file, pid } of others) if (identify(pid) === null) await rm(file, { force: true })
    if (!others.some(({ pid }) => pid !== process.pid && identify(pid) !== null)) return
    await systemClock.sleep(DECIDES_MS)
  }
}

async function refuseIfUsed(dir: string, before: RunRecord): Promise<void> {
  if (before.supervisor.pid === process.pid) return
  if (isAlive(before.supervisor) || (await answers(before.control))) {
    throw fail(
      'DATA_DIR_IN_USE',
      `${dir} is in use by the run with process id ${before.supervisor.pid}: stop that one (vedette stop --data ${dir}), or give another directory with --data`,
      { pid: before.supervisor.pid },
    )
  }
}

/** The record of the run in a directory, dead or alive; null when there is none. @throws USAGE when it is another user's */
export async function readRecord(dir: string): Promise<RunRecord | null> {
  return await readOwnFile(join(dir, 'run.json')).then(parseRecord, (error: unknown) => {
    if (isVedetteError(error)) throw error
    return null
  })
}

function parseRecord(text: string): RunRecord | null {
  try {
    const value = JSON.parse(text) as RunRecord
    const valid = isIdentity(value.supervisor) && typeof value.control === 'string' && Array.isArray(value.children)
    return valid ? { ...value, children: value.children.filter(isIdentity) } : null
  } catch {
    return null
  }
}

const isIdentity = (value: unknown): value is ProcessIdentity => {
  const { pid, started } = (value ?? {}) as Partial<ProcessIdentity>
  return typeof pid === 'number' && typeof started === 'string'
}

/** True when somebody accepts connections there: a run in another container that shares the directory. */
export function answers(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const connection = createConnection(socket)
    const end = (alive: boolean) => {
      connection.destroy()
      done(alive)
    }
    connection.setTimeout(2000, () => end(true))
    connection.on('connect', () => end(true))
    connection.on('error', () => end(false))
  })
}

const exists = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  )

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

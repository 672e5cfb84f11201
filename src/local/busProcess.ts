/**
 * The bus process, kept alive: started again at once when it dies, killed when its event loop answers nothing for too long (a
 * frozen process holds every emit; a new one recovers from what is on disk).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { codes, type ErrorCode, fail, isVedetteError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { entryPoint } from './entryPoint.ts'

export interface BusProcess {
  readonly incarnation: number
  readonly socket: string
  readonly restarts: number
  readonly pid: number | undefined
  /** Once this has rejected, the bus cannot be started any more (the store is corrupt, the disk is gone). */
  readonly failed: Promise<never>
  /** Watches that it answers; `ping` resolves when it did. */
  watch(ping: () => Promise<unknown>): void
  stop(): Promise<void>
  kill(): void
}

export interface BusProcessOptions {
  dir: string
  socket: string
  clock: Clock
  log: Logger
  /** A new process runs; to be written down before anything else. */
  onPid: (pid: number) => void
  /** For tests: how long it may say nothing. */
  frozenMs?: number
}

const PING_MS = 1000
const FROZEN_MS = 15_000
const STOP_PATIENCE_MS = 10_000
/** A process that lived for this long was healthy: the next restart is at once. */
const HEALTHY_MS = 5000
/** So often in a row it may fail to start before the run gives up: what is wrong does not pass by itself. */
const TRIES = 8

const QUICK_DEATH_PAUSE_MS = 100
/** Signals of a process that touched what it should not: lmdb maps the store into memory. */
const CRASHES: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL'])

interface Ready {
  child: ChildProcess
  incarnation: number
}

/** @throws what the bus says of its store: STORE_CORRUPT, STORE_TOO_NEW, DATA_DIR_IN_USE… */
export async function startBusProcess(options: BusProcessOptions): Promise<BusProcess> {
  const { clock, log, socket, frozenMs = FROZEN_MS } = options
  let stopping = false
  let restarts = 0
  let stopWatching = () => {}
  let current = await launch(options, 'next')
  let answeredAt = clock.monotonic()
  const { incarnation } = current
  let giveUp: (error: unknown) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    giveUp = reject
  })
  failed.catch(() => {})

  /** @param suspicious it died in a way that makes one doubt the store: it is looked through first */
  const restart = async (suspicious: boolean) => {
    let before = ''
    let failures = 0
    for (let attempt = 0; !stopping; attempt++) {
      restarts++
      try {
        current = await launch(options, incarnation, suspicious)
        answeredAt = clock.monotonic()
        log.info('the bus process runs again', { pid: current.child.pid })
        if (stopping) current.child.stdin?.end()
        else keep()
        return
      } catch (error) {
        if (messageOf(error) !== before) log.error('the bus process does not start; it is tried again', { error })
        before = messageOf(error)
        // a full disk is somebody's to clear, and then all is well
        failures = isVedetteError(error, 'BUS_FULL') ? 0 : failures + 1
        if (failures >= TRIES) return giveUp(error)
        await clock.sleep(backoffMs(attempt, { firstMs: 100, maxMs: 2000 }))
      }
    }
  }
  const keep = () => {
    const { child } = current
    const since = clock.monotonic()
    const ended = (code: number | null, signal: string | null) => {
      if (stopping) return
      log.error('the bus process ended; starting it again', { pid: child.pid, ...(signal ? { signal } : { code }) })
      const suspicious = signal !== null && CRASHES.has(signal)
      const quick = restarts > 0 && clock.monotonic() - since < HEALTHY_MS
      if (quick) clock.after(QUICK_DEATH_PAUSE_MS, () => void restart(suspicious))
      else void restart(suspicious)
    }
    if (child.exitCode !== null || child.signalCode !== null) ended(child.exitCode, child.signalCode)
    else child.once('exit', ended)
  }
  keep()

  return {
    incarnation,
    socket,
    failed,
    get restarts() {
      return restarts
    },
    get pid() {
      return current.child.pid
    },
    watch(ping) {
      answeredAt = clock.monotonic()
      let lookedAt = answeredAt
      let stopped = false
      const look = () => {
        if (stopped || stopping) return
        const now = clock.monotonic()
        // this process was frozen or starved itself: what it did not hear proves nothing
        if (now - lookedAt > 2 * PING_MS + 500) answeredAt += now - lookedAt
        lookedAt = now
        void ping().then(
          () => {
            answeredAt = clock.monotonic()
          },
          () => {},
        )
        const { exitCode, signalCode } = current.child
        // one that is gone is not frozen: it is being started again
        if (exitCode !== null || signalCode !== null) answeredAt = now
        if (now - answeredAt > frozenMs) {
          log.error('the bus process does not answer; killing it', {
            pid: current.child.pid,
            forMs: Math.round(now - answeredAt),
          })
          answeredAt = now
          current.child.kill('SIGKILL')
        }
        stopWatching = clock.after(PING_MS, look)
      }
      look()
      const before = stopWatching
      stopWatching = () => {
        stopped = true
        before()
      }
    },
    async stop() {
      stopping = true
      stopWatching()
      const { child } = current
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.stdin?.end()
      const cancel = clock.after(STOP_PATIENCE_MS, () => child.kill('SIGKILL'))
      await gone
      cancel()
    },
    kill() {
      stopping = true
      current.child.kill('SIGKILL')
    },
  }
}

function launch(
  { dir, socket, onPid, log }: BusProcessOptions,
  incarnation: number | 'next',
  check = false,
): Promise<Ready> {
  const child = spawn(
    process.execPath,
    [entryPoint('../bus/embedded/main', import.meta.url), JSON.stringify({ dir, socket, incarnation, check })],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  // its end is heard by 'exit'; a broken pipe to it must not end this process
  child.stdin?.on('error', () => {})
  if (child.pid !== undefined) onPid(child.pid)
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(fail('BUS_UNAVAILABLE', `the bus process cannot be started: ${messageOf(error)}`)),
    )
    // 'close', not 'exit': what it said last may be read after its end
    child.once('close', (code, signal) =>
      reject(fail('BUS_UNAVAILABLE', `the bus process ended while starting (${signal ?? `exit ${code}`})`)),
    )
    const lines = createInterface({ input: child.stdout! })
    let ready = false
    lines.on('line', (line) => {
      try {
        const incarnation = said(line)
        ready = true
        resolve({ child, incarnation })
      } catch (error) {
        if (ready) log.error('the bus process gives up', { error })
        else child.kill()
        reject(error)
      }
    })
  })
}

/** The one line of the bus process: `{"ready":true,"socket","incarnation"}` or `{"error":{code,message}}`. */
function said(line: string): number {
  const { incarnation, error } = JSON.parse(line) as { incarnation?: number; error?: { code: string; message: string } }
  if (error !== undefined) {
    throw fail(Object.hasOwn(codes, error.code) ? (error.code as ErrorCode) : 'BUG', error.message)
  }
  if (typeof incarnation !== 'number') throw fail('BUG', `the bus process said ${line.slice(0, 200)}`)
  return incarnation
}

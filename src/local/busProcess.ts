/**
 * The bus process, kept alive: started again at once when it dies, killed when its event loop answers nothing for too long, or
 * says nothing of its start (a frozen process holds every emit; a new one recovers from what is on disk).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { codes, type ErrorCode, fail, isVedetteError, messageOf, type VedetteError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { watchSilence } from '../core/silence.ts'
import { entryPoint } from './entryPoint.ts'

export interface BusProcess {
  readonly incarnation: number
  readonly socket: string
  readonly restarts: number
  /** Of the process that runs, or is being started. */
  readonly pid: number | undefined
  /** Why there is no bus at the moment, in words: what its process does in its start, or why it did not start; null while it runs. */
  readonly trouble: string | null
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
  /** For tests: how long it may answer nothing. */
  frozenMs?: number
  /** For tests: how long it may say nothing while it starts. */
  silentMs?: number
  /** For tests: how long a stop waits before it kills. */
  stopPatienceMs?: number
}

const PING_MS = 1000
const FROZEN_MS = 15_000
/** A start may take as long as it wants (a large store is looked through) while it says what it does: more often than this. */
const SILENT_MS = 20_000
/** What a long start does is logged so often. */
const TELL_MS = 10_000
const STOP_PATIENCE_MS = 10_000
/** A process that lived for this long was healthy: the next restart is at once. */
const HEALTHY_MS = 5000
/** So often in a row it may fail to start before the run gives up: what is wrong does not pass by itself. */
const TRIES = 8

const QUICK_DEATH_PAUSE_MS = 100
/** Signals of a process that touched what it should not: lmdb maps the store into memory. */
const CRASHES: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL'])

/** @throws what the bus says of its store: STORE_CORRUPT, STORE_TOO_NEW, DATA_DIR_IN_USE…; BUS_UNAVAILABLE it says nothing */
export async function startBusProcess(options: BusProcessOptions): Promise<BusProcess> {
  const { clock, log, socket, frozenMs = FROZEN_MS, stopPatienceMs = STOP_PATIENCE_MS } = options
  let stopping = false
  let restarts = 0
  let stopWatching = () => {}
  let child!: ChildProcess
  let trouble: string | null = null
  const start = (of: number | 'next', suspicious = false): Promise<number> => {
    const launched = launch(options, of, suspicious, (step) => {
      trouble = `the bus process starts: ${step}`
    })
    child = launched.child
    return launched.incarnation
  }
  const incarnation = await firstStart((suspicious) => start('next', suspicious), options)
  trouble = null
  let answeredAt = clock.monotonic()
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
        await start(incarnation, suspicious)
        trouble = null
        answeredAt = clock.monotonic()
        log.info('the bus process runs again', { pid: child.pid })
        if (stopping) child.stdin?.end()
        else keep()
        return
      } catch (error) {
        if (stopping) return
        trouble = `the bus process does not start, and is tried again: ${messageOf(error)}`
        if (messageOf(error) !== before) log.error('the bus process does not start; it is tried again', { error })
        before = messageOf(error)
        failures = mayPass(error) ? 0 : failures + 1
        if (failures >= TRIES) return giveUp(error)
        await clock.sleep(backoffMs(attempt, { firstMs: 100, maxMs: 2000 }))
      }
    }
  }
  const keep = () => {
    const since = clock.monotonic()
    const ended = (code: number | null, signal: string | null) => {
      if (stopping) return
      trouble = `the bus process ended (${signal ?? `exit ${code}`}) and is started again`
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
      return child.pid
    },
    get trouble() {
      return trouble
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
        // one that is not there, or not yet, is not frozen: whether its start hangs is seen there
        if (trouble !== null) answeredAt = now
        if (now - answeredAt > frozenMs) {
          log.error('the bus process does not answer; killing it', {
            pid: child.pid,
            forMs: Math.round(now - answeredAt),
          })
          answeredAt = now
          child.kill('SIGKILL')
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
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.stdin?.end()
      const cancel = clock.after(stopPatienceMs, () => child.kill('SIGKILL'))
      await gone
      cancel()
    },
    kill() {
      stopping = true
      child.kill('SIGKILL')
    },
  }
}

/** @throws as {@link startBusProcess}; a process that was killed, or hung, has said nothing of its store, and is started again */
async function firstStart(
  start: (suspicious: boolean) => Promise<number>,
  { clock, log }: Pick<BusProcessOptions, 'clock' | 'log'>,
): Promise<number> {
  let suspicious = false
  for (let attempt = 0; ; attempt++) {
    try {
      return await start(suspicious)
    } catch (error) {
      const { signal, silent } = isVedetteError(error) ? error.details : {}
      if ((typeof signal !== 'string' && silent !== true) || suspicious || attempt >= TRIES) throw error
      // what crashed over a damaged store says so when it looks first
      suspicious = CRASHES.has(String(signal))
      const next = suspicious ? 'the store is looked through' : 'it is started again'
      log.error(`the bus process ended in its start; ${next}`, { error })
      await clock.sleep(backoffMs(attempt, { firstMs: 100, maxMs: 2000 }))
    }
  }
}

/** A full disk is somebody's to clear, a disk that stands still may go on: then all is well. */
const mayPass = (error: unknown): boolean =>
  isVedetteError(error, 'BUS_FULL') || (isVedetteError(error) && error.details.silent === true)

/** @param onStep told what the process says that it does. Its `incarnation` rejects when it ends, gives up or is silent for too long */
function launch(
  { dir, socket, onPid, log, clock, silentMs = SILENT_MS }: BusProcessOptions,
  incarnation: number | 'next',
  check: boolean,
  onStep: (step: string) => void,
): { child: ChildProcess; incarnation: Promise<number> } {
  const child = spawn(
    process.execPath,
    [entryPoint('../bus/embedded/main', import.meta.url), JSON.stringify({ dir, socket, incarnation, check })],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  // its end is heard by 'exit'; a broken pipe to it must not end this process
  child.stdin?.on('error', () => {})
  if (child.pid !== undefined) onPid(child.pid)
  let endWatch = () => {}
  const started = new Promise<number>((resolve, reject) => {
    child.once('error', (error) =>
      reject(fail('BUS_UNAVAILABLE', `the bus process cannot be started: ${messageOf(error)}`)),
    )
    // 'close', not 'exit': what it said last may be read after its end
    child.once('close', (code, signal) => reject(crashed(signal, code)))
    let doing = 'it has said nothing yet'
    const silence = watchSilence(clock, silentMs, () => {
      child.kill('SIGKILL')
      const forSeconds = Math.round(silentMs / 1000)
      const message = `the bus process said nothing of its start for ${forSeconds} s and was killed (last: ${doing})`
      reject(fail('BUS_UNAVAILABLE', message, { silent: true }))
    })
    endWatch = silence.end
    const startedMs = clock.monotonic()
    let toldMs = startedMs
    const lines = createInterface({ input: child.stdout! })
    let ready = false
    lines.on('line', (line) => {
      try {
        const heard = said(line)
        if (typeof heard === 'number') {
          ready = true
          return resolve(heard)
        }
        doing = heard.step
        silence.broken()
        onStep(doing)
        if (clock.monotonic() - toldMs < TELL_MS) return
        toldMs = clock.monotonic()
        log.info('the bus process is still starting', { doing, forMs: Math.round(toldMs - startedMs) })
      } catch (error) {
        if (ready) log.error('the bus process gives up', { error })
        else child.kill('SIGKILL')
        reject(error)
      }
    })
  })
  return { child, incarnation: started.finally(() => endWatch()) }
}

/** @returns why there is no bus; after a crash, with what to do: as a rule it is the store that one crashes over */
function crashed(signal: string | null, code: number | null): VedetteError {
  const text = `the bus process ended while starting (${signal ?? `exit ${code}`})`
  if (signal === null) return fail('BUS_UNAVAILABLE', text)
  const advice = CRASHES.has(signal) ? ': is the store damaged? `vedette doctor` looks through it' : ''
  return fail('BUS_UNAVAILABLE', `${text}${advice}`, { signal })
}

/** A line of the bus process: `{"step"}`, `{"ready":true,"socket","incarnation"}` or `{"error":{code,message}}`. @throws the error */
function said(line: string): number | { step: string } {
  const { incarnation, step, error } = JSON.parse(line) as {
    incarnation?: number
    step?: string
    error?: { code: string; message: string }
  }
  if (error !== undefined) {
    throw fail(Object.hasOwn(codes, error.code) ? (error.code as ErrorCode) : 'BUG', error.message)
  }
  if (typeof step === 'string') return { step }
  if (typeof incarnation !== 'number') throw fail('BUG', `the bus process said ${line.slice(0, 200)}`)
  return incarnation
}

/**
 * The bus process: `node main.ts '{"dir":…,"socket":…,"incarnation":…}'`. Says on stdout, a line each, `{"step":"…"}` while it starts (what
 * it does, at each step and over and over during a long one: silence means that it hangs), then either
 * `{"ready":true,"socket":…,"incarnation":…,"pid":…}` or `{"error":{"code":…,"message":…}}` and exits 1; such an error line may also
 * come later, when the store breaks. Ends cleanly when its stdin ends (the supervisor is done or gone), or on SIGTERM when it has no
 * supervisor (`endWithParent: false`).
 */
import { mkdirSync, writeSync } from 'node:fs'
import { type Clock, systemClock } from '../../core/clock.ts'
import { fail, type VedetteError } from '../../core/errors.ts'
import { createLogger, type Logger } from '../../core/log.ts'
import { withoutCredentials } from '../../core/url-credentials.ts'
import { asStoreError } from './lmdb.ts'
import { toWireError } from './request.ts'
import { type BusServer, startServer } from './server.ts'
import { DEFAULT_LIMITS, openStore, type Store, type StoreLimits } from './store.ts'
import { takeOver } from './takeover.ts'

export interface BusProcessOptions extends Partial<StoreLimits> {
  /** The store's directory. */
  dir: string
  /** Path of the Unix domain socket, at most 103 bytes. */
  socket: string
  /** `next`: a supervisor starts. A number: the same supervisor starts its bus again. Default `next`. */
  incarnation?: number | 'next'
  /** Largest event stored, bytes. Default 8 MiB. */
  maxEventBytes?: number
  /** Looks through the whole store first: for after a crash of the bus process by itself. */
  check?: boolean
  /** End when stdin ends. Default true. */
  endWithParent?: boolean
  logFormat?: 'text' | 'json'
}

const DEFAULT_MAX_EVENT_BYTES = 8 << 20
const TIDY_MS = 1000
/** The same step is said again so often at most. */
const SAY_MS = 500

const logOf = (options: BusProcessOptions) =>
  createLogger({
    format: options.logFormat ?? 'text',
    name: 'bus',
    // it reads no Secret
    redact: withoutCredentials,
    write: (line) => writeSync(2, line),
  })

const say = (line: object) => writeSync(1, `${JSON.stringify(line)}\n`)

/** Says each step as it begins, and what changes in it from time to time. */
function stepper(clock: Clock): (step: string) => void {
  let saidMs = Number.NEGATIVE_INFINITY
  let kind = ''
  return (step) => {
    const now = clock.monotonic()
    const [kindNow = ''] = step.split(' (')
    if (kindNow === kind && now - saidMs < SAY_MS) return
    ;[kind, saidMs] = [kindNow, now]
    say({ step })
  }
}

function end(error: unknown): never {
  const known = asStoreError(error)
  say({ error: toWireError(known.code === 'BUS_FULL' ? known : error) })
  process.exit(1)
}

async function main(): Promise<void> {
  const options = readOptions()
  const { dir, socket, incarnation = 'next', maxEventBytes = DEFAULT_MAX_EVENT_BYTES, check = false } = options
  const clock = systemClock
  const log = logOf(options)
  const onStep = stepper(clock)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  onStep('taking the store over')
  await takeOver(dir, clock)
  const limits = { ...DEFAULT_LIMITS, ...definedOf(options) }
  const store = await openStore({ dir, incarnation, check, onStep, ...limits })
  if (store.notice !== null) log.warn(store.notice)
  onStep('listening')
  const server = await startServer({
    socket,
    store,
    clock,
    log,
    dedupMs: limits.dedupMs,
    maxEventBytes,
    onBroken,
  })
  const stopTidying = tidyFromTimeToTime(store, log, onBroken)

  /** The store can no longer be written: better to start anew than to go on refusing. */
  function onBroken(error: VedetteError) {
    log.error('the bus ends because its store cannot be written', { error })
    // Its clients are told first: a request that is answered is not of unknown fate.
    clock.soon(() => clock.soon(() => end(error)))
  }

  stopOn(options.endWithParent ?? true, () => stop(server, store, stopTidying))
  say({ ready: true, socket, incarnation: store.incarnation, pid: process.pid })
}

function stopOn(endWithParent: boolean, stopNow: () => Promise<void>) {
  let stopping = false
  const once = () => {
    if (stopping) return
    stopping = true
    stopNow().then(() => process.exit(0), end)
  }
  process.on('disconnect', once)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // A terminal or a service manager signals the whole group; the supervisor ends this process last, when the hosts have drained.
    process.on(signal, () => {
      if (!endWithParent) once()
    })
  }
  if (!endWithParent) return
  process.stdin.on('end', once).on('close', once).on('error', once).resume()
}

async function stop(server: BusServer, store: Store, stopTidying: () => void): Promise<void> {
  stopTidying()
  await server.close()
  await store.close()
}

/**
 * Retention and forgetting, in small steps with the turns of requests between them. Its wall clock is the one at the start, moved on
 * by the monotonic clock: a clock set forward by a year must not make everything old.
 */
function tidyFromTimeToTime(store: Store, log: Logger, onBroken: (error: VedetteError) => void): () => void {
  const { now, monotonic } = systemClock
  const [startMs, startMonotonic] = [now(), monotonic()]
  let stopped = false
  let said = ''
  const step = () => {
    if (stopped) return
    let more = false
    try {
      more = store.tidy(Math.min(now(), startMs + monotonic() - startMonotonic))
    } catch (error) {
      const known = asStoreError(error)
      if (known.code !== 'BUS_FULL' && known.details.table === undefined) return onBroken(known)
      if (known.message !== said) log.error('old events cannot be let go', { error: known })
      said = known.message
    }
    if (more) systemClock.soon(step)
    else systemClock.after(TIDY_MS, step)
  }
  systemClock.after(TIDY_MS, step)
  return () => {
    stopped = true
  }
}

function readOptions(): BusProcessOptions {
  const text = process.argv[2] ?? process.env.VEDETTE_BUS_OPTIONS
  const options = JSON.parse(text ?? '{}') as BusProcessOptions
  if (typeof options.dir !== 'string' || typeof options.socket !== 'string') {
    throw fail('USAGE', 'the bus process needs {"dir":…,"socket":…} as its argument')
  }
  return options
}

function definedOf({ maxAgeMs, maxBytes, dedupMs, maxStoreBytes }: Partial<StoreLimits>): Partial<StoreLimits> {
  return Object.fromEntries(
    Object.entries({ maxAgeMs, maxBytes, dedupMs, maxStoreBytes }).filter(([, value]) => value !== undefined),
  )
}

main().catch(end)

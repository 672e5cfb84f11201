/** A run, a validation and a Pod with marked credentials, and everything that they write where somebody may read it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { vedette } from '../local/program.ts'

type Test = { after(fn: () => unknown): void }

/** One line of the product that is another. */
export interface Without {
  file: string
  find: string
  replace: string
}

/** What can be read, by the name of the sink. */
export type Sinks = Record<string, string>

const preload = new URL('./preload.ts', import.meta.url).pathname

/** @param more with `NODE_OPTIONS` beside ours */
export const environment = (
  without: readonly Without[] = [],
  { NODE_OPTIONS = '', ...more }: Record<string, string> = {},
): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_OPTIONS: `--import ${preload} ${NODE_OPTIONS}`,
  PUBSUB_EMULATOR_HOST: '127.0.0.1:1',
  ...more,
  ...(without.length === 0 ? {} : { SENTINEL_WITHOUT: JSON.stringify(without) }),
})

export interface Ground {
  dir: string
  manifest: string
  secrets: string
}

/** Writes the objects and the values of Secrets. */
export function ground(t: Test, objects: object[], files: ReadonlyMap<string, string>): Ground {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-sentinel-'))
  t.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }))
  const manifest = join(dir, 'objects.yaml')
  writeFileSync(manifest, objects.map((object) => `---\n${JSON.stringify(object, null, 1)}\n`).join(''))
  const secrets = join(dir, 'secrets')
  for (const [file, value] of files) {
    mkdirSync(join(secrets, file, '..'), { recursive: true })
    writeFileSync(join(secrets, file), value)
  }
  return { dir, manifest, secrets }
}

export interface EntryOfStatus {
  type: string
  name: string
  serving: number
  error: string | null
}

export interface Status {
  eventSources: { name: string; entries: EntryOfStatus[] }[]
}

export interface RunOptions {
  without?: readonly Without[]
  limitMs?: number
  /** More arguments and environment. */
  args?: readonly string[]
  env?: Record<string, string>
  /** What else must have happened. */
  enough?: (entries: EntryOfStatus[]) => boolean
  /** What is then done to it, and what of that can be read: by the name of the sink. */
  drive?: (run: { api: string; data: string }) => Promise<Sinks>
}

/** Lives until each entry serves or says what is wrong, and `enough` of the status; then ends gracefully. */
export async function runSinks(
  t: Test,
  { dir, manifest, secrets }: Ground,
  {
    without = [],
    limitMs = 60_000,
    args = [],
    env = {},
    enough = () => true,
    drive = async () => ({}),
  }: RunOptions = {},
): Promise<Sinks & { status: string }> {
  const data = join(dir, 'data')
  const flags = ['--data', data, '--secrets', secrets, '--listen', '127.0.0.1:0', '--log-level', 'debug', ...args]
  const child = started(t, ['run', manifest, ...flags], environment(without, env))
  const api = await until(
    limitMs,
    () => child.alive() && apiOf(data),
    () => child.log(),
  )
  const get = (path: string, accept = '*/*') =>
    fetch(`http://${api}${path}`, { headers: { accept } }).then(
      (answer) => answer.text(),
      () => '',
    )
  await until(
    limitMs,
    async () => {
      const { eventSources = [] } = JSON.parse((await get('/v1/status')) || '{}') as Partial<Status>
      const entries = eventSources.flatMap((one) => one.entries)
      const begun = entries.length > 0 && entries.every(({ serving, error }) => serving > 0 || error !== null)
      return begun && enough(entries) ? true : null
    },
    () => child.log(),
  )
  const driven = await drive({ api, data })
  const sinks: Sinks & { status: string } = {
    ...driven,
    status: await get('/v1/status'),
    readiness: `${await get('/readyz')}${await get('/readyz', 'application/json')}`,
    'readiness of deliveries': await get('/readyz/delivery'),
    metrics: await get('/metrics'),
    'status for people': (await command(['status', '--data', data], without)).join(''),
    doctor: (await command(['doctor', '--data', data], without)).join(''),
    'doctor --json': (await command(['doctor', '--json', '--data', data], without)).join(''),
    processes: processesOf(data),
  }
  child.process.kill('SIGTERM')
  await child.ended
  return { ...sinks, log: child.log(), 'data directory': contentOf(data) }
}

/** What `vedette validate` prints, as text and as JSON. */
export async function validateSinks({ manifest }: Ground, without: readonly Without[] = []): Promise<Sinks> {
  return {
    validate: (await command(['validate', manifest], without)).join(''),
    'validate --json': (await command(['validate', '--json', manifest], without)).join(''),
  }
}

/** @returns stdout and stderr, whatever the exit code */
export function command(args: string[], without: readonly Without[] = []): Promise<[string, string]> {
  const options = { env: environment(without), maxBuffer: 1 << 28 }
  return new Promise((resolve) => execFile(vedette, args, options, (_, out, err) => resolve([out, err])))
}

export interface Started {
  process: ChildProcess
  /** stdout and stderr. */
  log(): string
  ended: Promise<unknown>
  /** @throws when it has ended */
  alive(): true
}

export function started(t: Test, args: string[], env: NodeJS.ProcessEnv): Started {
  const child = spawn(vedette, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let text = ''
  const add = (chunk: string) => {
    text += chunk
  }
  child.stdout.setEncoding('utf8').on('data', add)
  child.stderr.setEncoding('utf8').on('data', add)
  const ended = new Promise((resolve) => child.once('close', resolve))
  t.after(async () => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // already gone
    }
    await ended
  })
  const alive = (): true => {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${text.slice(-5_000)}`)
    return true
  }
  return { process: child, log: () => text, ended, alive }
}

export async function until<T>(
  limitMs: number,
  look: () => T | null | Promise<T | null>,
  why: () => string,
): Promise<T> {
  for (const begun = Date.now(); Date.now() - begun < limitMs; await pause(100)) {
    const found = await look()
    if (found !== null) return found
  }
  throw new Error(`not within ${limitMs} ms:\n${why().slice(-5_000)}`)
}

interface RunRecord {
  api?: string
  supervisor: { pid: number }
  children?: { pid: number }[]
}

const recordOf = (data: string): RunRecord => JSON.parse(readFileSync(join(data, 'run.json'), 'utf8')) as RunRecord

function apiOf(data: string): string | null {
  try {
    const { api = '' } = recordOf(data)
    return /:[1-9]/.test(api) ? api : null
  } catch {
    return null
  }
}

/** Arguments and environment, as everybody with this user's rights reads them. */
function processesOf(data: string): string {
  const { supervisor, children = [] } = recordOf(data)
  return [supervisor, ...children]
    .flatMap(({ pid }) => ['cmdline', 'environ'].map((what) => readFileSync(`/proc/${pid}/${what}`, 'latin1')))
    .join('\n')
}

function contentOf(dir: string): string {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((file) => join(dir, file))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file, 'latin1'))
    .join('\n')
}

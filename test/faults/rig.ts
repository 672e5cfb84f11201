/**
 * A whole `vedette run` as users start it: real processes, found and judged only through the command line, the API and
 * signals. What it knows of the inside is the contract of the command line.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePorts } from '../servers/process.ts'

const vedette = new URL('../../vedette', import.meta.url).pathname

/** One line of `vedette tail --json`. */
export interface Line {
  seq: number
  time: string
  subject: string
  event: { id: string; source: string; subject: string; time: string; data_base64: string }
}

/** `vedette status --json`, as far as the tests look at it. */
export interface Status {
  eventSources: {
    namespace: string
    name: string
    entries: {
      type: string
      name: string
      strategy: 'active-active' | 'active-passive'
      term: number | null
      leader: string | null
      serving: number
      published: number
      skipped: number
      error: string | null
    }[]
    replicas: {
      id: string
      pid: number | null
      state: 'starting' | 'standby' | 'serving' | 'draining' | 'down'
      restarts: number
    }[]
  }[]
  bus: { kind: string; fencing: string; connected: boolean; error?: string }
  /** What is wrong with the files as they are now. */
  problems: string[]
  failovers: {
    at: string
    source: string
    from: string | null
    to: string
    term: number
    reason: string
    gapMs: number | null
  }[]
}

export interface Leader {
  id: string
  pid: number
  term: number
}

export interface Rig {
  readonly dir: string
  readonly data: string
  readonly manifest: string
  readonly api: string
  /** Free loopback ports for webhooks. */
  readonly ports: number[]
  readonly supervisor: ChildProcess
  /** Milliseconds from spawn to `ready`. */
  readonly readyMs: number
  log(): string
  status(): Promise<Status>
  /** Who serves the active-passive entries of an EventSource now; null when nobody does. */
  leader(source: string): Promise<Leader | null>
  /** Everything on the log, oldest first. Works while it runs and after. */
  lines(): Promise<Line[]>
  /** Everything on the bus, each line as it comes, across restarts of the run. */
  follow(each: (line: Line) => void): { stop(): void }
  /** Pids of the bus process (children of the supervisor that are no host). */
  busPid(): Promise<number>
  hostPids(): Promise<number[]>
  cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>
  write(yaml: string): void
  /** Starts again on the same data after it was stopped or killed. */
  restart(): Promise<void>
  /** kill -9 of the whole process group. */
  killAll(): Promise<void>
  /** Graceful; resolves with the exit code. */
  stop(): Promise<number | null>
  /** Kills what is left and removes the directory. @param t one that has failed shows the end of the run's log */
  close(t?: Pick<TestContext, 'passed' | 'diagnostic'>): Promise<void>
}

export interface RigOptions {
  /** More arguments for `vedette run`. */
  args?: string[]
  /** More environment for it and all its processes. */
  env?: Record<string, string>
  /** The data directory, when it is to be at a special place; the caller removes it. */
  data?: string
  /** `ready` waits for all that is to be served: on a busy machine, and with many entries, that takes its time. */
  readyWithinMs?: number
}

/** @param yaml the manifest; `ports` are free ones to put into it */
export async function startRig(
  yaml: (ports: number[]) => string,
  { args = [], env = {}, data: dataWanted, readyWithinMs = 60_000 }: RigOptions = {},
): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-rig-'))
  const data = dataWanted ?? join(dir, 'data')
  const manifest = join(dir, 'sources.yaml')
  const [apiPort, ...ports] = (await freePorts(5)) as [number, ...number[]]
  const api = `http://127.0.0.1:${apiPort}`
  writeFileSync(manifest, yaml(ports))
  let log = ''
  let supervisor!: ChildProcess
  let exited!: Promise<number | null>
  let readyMs = 0

  const start = async () => {
    const startedMs = performance.now()
    supervisor = spawn(vedette, ['run', manifest, '--data', data, '--listen', `127.0.0.1:${apiPort}`, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      // A group of its own, so that all of it can be killed at once.
      detached: true,
    })
    exited = new Promise((resolve) => supervisor.once('exit', (code) => resolve(code)))
    let out = ''
    supervisor.stderr?.on('data', (chunk) => {
      log += chunk
    })
    supervisor.stdout?.on('data', (chunk) => {
      out += chunk
    })
    await waitFor(async () => {
      if (supervisor.exitCode !== null) throw new Error(`vedette run ended with ${supervisor.exitCode}:\n${log}`)
      return out.includes('ready\n')
    }, readyWithinMs)
    readyMs = performance.now() - startedMs
  }
  try {
    await start()
  } catch (error) {
    killIfThere(-supervisor.pid!)
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    throw error
  }

  const rig: Rig = {
    dir,
    data,
    manifest,
    api,
    ports,
    get supervisor() {
      return supervisor
    },
    get readyMs() {
      return readyMs
    },
    log: () => log,
    async status() {
      const answer = await fetch(`${api}/v1/status`, { signal: AbortSignal.timeout(20_000) })
      return (await answer.json()) as Status
    },
    async leader(source) {
      const found = (await rig.status()).eventSources.find((it) => it.name === source)
      const entry = found?.entries.find((it) => it.leader !== null)
      const replica = found?.replicas.find((it) => it.id === entry?.leader)
      if (entry?.leader == null || replica === undefined || replica.pid === null || replica.state !== 'serving')
        return null
      return { id: entry.leader, pid: replica.pid, term: entry.term ?? 0 }
    },
    async lines() {
      const { code, stdout, stderr } = await rig.cli('tail', '--from', 'start', '-n', '10000000', '--json')
      if (code !== 0) throw new Error(`tail ended with ${code}: ${stderr}`)
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line)
    },
    follow(each) {
      const tail = spawn(vedette, ['tail', '--from', 'start', '--follow', '--json', '--data', data], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      createInterface({ input: tail.stdout }).on('line', (line) => each(JSON.parse(line) as Line))
      return { stop: () => void tail.kill('SIGKILL') }
    },
    async busPid() {
      const hosts = await rig.hostPids()
      const children = await childrenOf(supervisor.pid!)
      const bus = children.find((pid) => !hosts.includes(pid))
      if (bus === undefined) throw new Error('no bus process')
      return bus
    },
    async hostPids() {
      const { eventSources } = await rig.status()
      const pids = eventSources.flatMap((it) => it.replicas.map((replica) => replica.pid)).filter((pid) => pid !== null)
      return [...new Set(pids)]
    },
    async cli(...cliArgs) {
      try {
        const { stdout, stderr } = await promisify(execFile)(vedette, [...cliArgs, '--data', data], {
          maxBuffer: 2 ** 30,
        })
        return { code: 0, stdout, stderr }
      } catch (error) {
        const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
        return { code, stdout, stderr }
      }
    },
    write: (text) => writeFileSync(manifest, text),
    restart: start,
    async killAll() {
      killIfThere(-supervisor.pid!)
      await exited
    },
    async stop() {
      supervisor.kill('SIGTERM')
      return await exited
    },
    async close(t) {
      if (t?.passed === false) t.diagnostic(`the run's log ends:\n${rig.log().slice(-8000)}`)
      killIfThere(-supervisor.pid!)
      if (supervisor.exitCode === null && supervisor.signalCode === null) await exited
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
  return rig
}

/** Polls until `condition` holds. @throws after `timeoutMs` */
export async function waitFor(condition: () => Promise<boolean>, timeoutMs = 10_000, everyMs = 5): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    if (await condition()) return
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms`)
    await pause(everyMs)
  }
}

/** Waits until every replica of the first EventSource serves or stands by. How soon is not judged here: a process starts slowly on a busy machine. */
export async function everyoneBack(rig: Rig): Promise<void> {
  await waitFor(async () => {
    const [source] = (await rig.status()).eventSources
    return source!.replicas.every(({ state }) => state === 'serving' || state === 'standby')
  }, 60_000)
}

/** Waits until somebody other than `not` leads. */
export async function nextLeader(
  rig: Rig,
  source: string,
  not: { id: string; term: number } | null,
  timeoutMs = 10_000,
): Promise<Leader> {
  let leader: Leader | null = null
  await waitFor(async () => {
    leader = await rig.leader(source)
    return leader !== null && (not === null || leader.term > not.term)
  }, timeoutMs)
  return leader!
}

/** Signals a process, or with a negative number a process group, that may have ended meanwhile. */
export function killIfThere(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // already gone
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child)
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The payload of an event. */
export function dataOf(line: Line): any {
  return JSON.parse(Buffer.from(line.event.data_base64, 'base64').toString())
}

/** A server as a process of its own on loopback: started, waited for, stopped, killed, frozen. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export interface ServerProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** What it wrote, for failure messages; the last 64 KiB. */
  output(): string
  /** SIGTERM, then SIGKILL after `patienceMs`. */
  stop(patienceMs?: number): Promise<void>
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>
  freeze(): void
  thaw(): void
}

/** @throws with the server's output when it ends before `ready` holds, or after `timeoutMs` */
export async function startProcess(
  command: string,
  args: string[],
  {
    ready,
    env,
    cwd,
    group = false,
    timeoutMs = 60_000,
  }: {
    ready: (server: ServerProcess) => Promise<boolean>
    env?: Record<string, string>
    cwd?: string
    /** The command is a script that starts the server: signals go to all its processes. */
    group?: boolean
    timeoutMs?: number
  },
): Promise<ServerProcess> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    detached: group,
    ...(cwd === undefined ? {} : { cwd }),
  })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-65_536)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const failed = new Promise<never>((_, reject) => child.once('error', reject))
  failed.catch(() => {})
  const signal = (name: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    if (group && child.pid !== undefined) process.kill(-child.pid, name)
    else child.kill(name)
  }
  const server: ServerProcess = {
    child,
    pid: child.pid ?? -1,
    output: () => output,
    async stop(patienceMs = 10_000) {
      signal('SIGCONT')
      signal('SIGTERM')
      const inTime = await Promise.race([gone.then(() => true), pause(patienceMs, false, { ref: false })])
      if (!inTime) signal('SIGKILL')
      await gone
    },
    async kill() {
      signal('SIGKILL')
      await gone
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
  }
  const deadline = performance.now() + timeoutMs
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${command} ended at once:\n${output}`)
    if (await Promise.race([ready(server).catch(() => false), failed])) return server
    if (performance.now() > deadline) {
      await server.kill()
      throw new Error(`${command} is not ready after ${timeoutMs} ms:\n${output}`)
    }
    await pause(25)
  }
}

/** One that can be started again on the same ports and data. */
export interface LastingServer {
  /** As it was started last. */
  readonly server: ServerProcess
  /** Graceful stop and start. */
  restart(): Promise<void>
  /** Kills it and removes its directory. */
  close(): Promise<void>
}

/** A new directory for a server. */
export const directoryFor = (server: string): string => mkdtempSync(join(tmpdir(), `vedette-${server}-`))

/**
 * @param dir goes with it
 * @param start the first time and each time after
 * @param options.patienceMs how long a graceful stop may take
 * @param options.beside ends what was started for it alone
 * @throws as `start`; then nothing is left
 */
export async function startLasting(
  dir: string,
  start: () => Promise<ServerProcess>,
  { patienceMs, beside = async () => {} }: { patienceMs?: number; beside?: () => Promise<unknown> } = {},
): Promise<LastingServer> {
  const clear = async () => {
    await beside()
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  }
  let server = await start().catch(async (error: unknown) => {
    await clear()
    throw error
  })
  return {
    get server() {
      return server
    },
    async restart() {
      await server.stop(patienceMs)
      server = await start()
    },
    async close() {
      await server.kill()
      await clear()
    },
  }
}

/** True when something listens on a loopback port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** True when a server answers a question rightly within a second. An empty question: it speaks first. @param host loopback by default */
export function answers(
  port: number,
  question: string,
  right: (answer: Buffer) => boolean,
  host = '127.0.0.1',
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host }, () => socket.write(question, 'latin1'))
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', (chunk) => done(right(Buffer.from(chunk))))
    socket.once('error', () => done(false))
    socket.setTimeout(1_000, () => done(false))
  })
}

/**
 * Ports that no system gives to outgoing connections by itself: one of those could take a port before the server has started that it is
 * for, which with some takes ten seconds.
 */
const FIRST_PORT = 15_000
const PORTS = 15_000

/** For so long a port is nobody else's: a server that is away for a while comes back on its own. */
const HELD_MS = 300_000

/**
 * Loopback ports that nobody listens on, and that no other test on this machine is given for some minutes: a broker needs seconds until it listens,
 * and what is killed and started again leaves its port meanwhile. @throws when there are not so many
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = new Map<number, Server>()
  for (let tries = 0; servers.size < count; tries++) {
    if (tries > 20 * PORTS) throw new Error(`of ${PORTS} ports ${count} are not free: try again in some minutes`)
    const port = FIRST_PORT + randomInt(PORTS)
    if (servers.has(port) || !reserve(port)) continue
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (free) servers.set(port, server)
  }
  await Promise.all([...servers.values()].map((server) => new Promise((resolve) => server.close(resolve))))
  return [...servers.keys()]
}

/** By a file that only one process can make. */
function reserve(port: number): boolean {
  const folder = join(tmpdir(), 'vedette-ports')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${port}`)
  const heldMs = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  if (heldMs < HELD_MS) return false
  rmSync(file, { force: true })
  try {
    writeFileSync(file, '', { flag: 'wx' })
    return true
  } catch {
    return false
  }
}

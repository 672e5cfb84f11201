/** A bus process of its own for a test, which may be killed, frozen and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { SourceRef } from '../../src/bus/bus.ts'
import { connectEmbedded, type EmbeddedBus, type EmbeddedOptions } from '../../src/bus/embedded/client.ts'
import type { LeaseBus } from '../../src/bus/embedded/face.ts'
import type { BusProcessOptions } from '../../src/bus/embedded/main.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { until } from './bus.ts'

const MAIN = fileURLToPath(new URL('../../src/bus/embedded/main.ts', import.meta.url))

/** What the process says on stdout. */
export interface Said {
  ready?: true
  incarnation?: number
  error?: { code: string; message: string }
}

export interface BusFixture {
  readonly dir: string
  readonly socket: string
  readonly incarnation: number
  readonly child: ChildProcess
  /** What it has said to do in its last start. */
  readonly steps: string[]
  /** A connected client. */
  connect(options?: Partial<EmbeddedOptions>): Promise<EmbeddedBus>
  /** kill -9, without a word. */
  kill(): Promise<void>
  /** Starts it again; with the incarnation it had, unless told otherwise. */
  start(options?: Partial<BusProcessOptions>): Promise<Said>
  close(): Promise<void>
}

/** @param env more environment for its processes */
export async function startBus(
  options: Partial<BusProcessOptions> = {},
  env: Record<string, string> = {},
): Promise<BusFixture> {
  const base = mkdtempSync(join(tmpdir(), 'vbus-'))
  const [dir, socket] = [options.dir ?? join(base, 'store'), join(base, 's')]
  const clients = new Set<EmbeddedBus>()
  let child: ChildProcess
  let incarnation = 0
  let sessions = 0
  const steps: string[] = []

  async function start(more: Partial<BusProcessOptions> = {}): Promise<Said> {
    const all: BusProcessOptions = { dir, socket, incarnation: incarnation || 'next', ...options, ...more }
    child = spawn(process.execPath, [MAIN, JSON.stringify(all)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    child.stdin?.on('error', () => {})
    steps.length = 0
    const said = await whatItSaid(child, steps)
    if (said.incarnation !== undefined) incarnation = said.incarnation
    return said
  }

  async function kill() {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  const said = await start()
  if (said.error !== undefined) throw new Error(JSON.stringify(said))
  return {
    dir,
    socket,
    get incarnation() {
      return incarnation
    },
    get child() {
      return child
    },
    steps,
    async connect(more = {}) {
      const client = connectEmbedded({
        socket,
        incarnation,
        session: `test-${sessions++}`,
        clock: systemClock,
        log: silentLogger,
        ...more,
      })
      clients.add(client)
      await until('the client is connected', () => client.status().connected)
      return client
    },
    kill,
    start,
    async close() {
      await Promise.all([...clients].map((client) => client.close()))
      await kill()
      rmSync(base, { recursive: true, force: true })
    },
  }
}

export async function whatItSaid(child: ChildProcess, steps: string[] = []): Promise<Said> {
  return await new Promise((resolve) => {
    let said = false
    child.once('exit', (code, signal) => {
      if (!said) resolve({ error: { code: 'EXIT', message: `${signal ?? code}` } })
    })
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const word = JSON.parse(line) as Said & { step?: string }
      if (word.step !== undefined) return steps.push(word.step)
      said = true
      resolve(word)
    })
  })
}

/** Makes `holder` the holder of the source's lease, whoever has it. */
export async function takeLease(bus: LeaseBus, source: SourceRef, holder: string): Promise<void> {
  const name = `${source.namespace}/${source.name}`
  const record = { holder, durationMs: 1500, term: 0, released: false }
  for (;;) {
    const lease = await bus.readLease(name)
    if ((await bus.writeLease(name, record, lease?.revision ?? null)) !== null) return
  }
}

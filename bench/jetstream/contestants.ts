/** The three that are compared, each a process of its own, on the same servers and the same stream. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { startRig } from '../../test/faults/rig.ts'

export const names = ['vedette', 'awaited', 'pipelined'] as const
export type Name = (typeof names)[number]

export interface Contestant {
  readonly name: Name
  /** Where webhooks go. */
  readonly url: string
  /** The process that serves them. */
  readonly pid: number
  close(): Promise<void>
}

/** An EventBus document that names NATS servers, separated by commas. */
export const eventBus = (nats: string): string =>
  `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default }
spec:
  jetstreamExotic: { url: "${nats}" }
---
`

const orders =
  (nats: string) =>
  ([port]: number[]): string =>
    `${eventBus(nats)}apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: orders }
spec:
  replicas: 1
  webhook:
    order: { port: "${port}", endpoint: /orders, method: POST }
`

export async function start(name: Name, nats: string): Promise<Contestant> {
  return name === 'vedette' ? await startVedette(nats) : await startRival(name, nats)
}

/** The product as users start it: `vedette run`, one replica. @param env more of it for all its processes */
export async function startVedette(nats: string, env: Record<string, string> = {}): Promise<Contestant> {
  const rig = await startRig(orders(nats), { env })
  const [pid] = await rig.hostPids()
  return { name: 'vedette', url: `http://127.0.0.1:${rig.ports[0]}/orders`, pid: pid!, close: () => rig.close() }
}

async function startRival(name: 'awaited' | 'pipelined', nats: string): Promise<Contestant> {
  const { child, port, close } = await startProgram('rival', name, nats, `default.${name}.order`)
  return { name, url: `http://127.0.0.1:${port}/orders`, pid: child.pid!, close }
}

/** Starts a program of this folder that writes its port as its first line. */
export async function startProgram(
  program: 'rival' | 'delay',
  ...args: string[]
): Promise<{ child: ChildProcess; port: number; close(): Promise<void> }> {
  const file = new URL(`./${program}.ts`, import.meta.url).pathname
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const line = await Promise.race([once(createInterface(child.stdout), 'line'), exited.then(() => [])])
  if (line.length === 0) throw new Error(`bench/jetstream/${program}.ts ended at once`)
  return {
    child,
    port: Number(line[0]),
    async close() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

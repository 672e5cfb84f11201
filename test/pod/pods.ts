/** Pods without Kubernetes: processes that get what the controller and the kubelet give a Pod, each on ports of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Bus } from '../../src/bus/bus.ts'
import { decodeEvent } from '../../src/core/event.ts'
import { readAll, until } from '../contract/bus.ts'
import type { Line } from '../faults/rig.ts'
import { freePorts } from '../servers/process.ts'

const vedette = new URL('../../vedette', import.meta.url).pathname

export const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')

/** As the controller writes it: no labels, nulls and empties where Go has them. */
export const objectOf = (name: string, spec: object) => ({
  metadata: { name, namespace: 'default', creationTimestamp: null },
  spec,
  status: {},
})

export interface PodOptions {
  /** The EventSource; `port` is free for a webhook. Left out, like `bus`, when `env` says it. */
  object?: (port: number) => object
  bus?: object
  name: string
  env?: Record<string, string>
  /** Files under the mount root, by path. */
  files?: Record<string, string>
}

export interface Pod {
  readonly name: string
  readonly child: ChildProcess
  /** Of the webhook. */
  readonly port: number
  log(): Record<string, unknown>[]
  says(message: string): boolean
  get(path: string): Promise<{ status: number; text: string }>
  ready(): Promise<boolean>
  leads(): Promise<boolean>
  /** What the kubelet does to a Secret that changes. */
  write(file: string, text: string): void
  /** The kubelet's restart of a container that ended. */
  restart(): void
  exited(): Promise<number | null>
}

/** Killed when the test ends. */
export async function startPod(t: TestContext, { object, bus, name, env = {}, files = {} }: PodOptions): Promise<Pod> {
  const root = mkdtempSync(join(tmpdir(), 'vedette-pod-'))
  const [port, metrics] = (await freePorts(2)) as [number, number]
  let out = ''
  let child!: ChildProcess
  let gone!: Promise<number | null>
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  for (const [file, text] of Object.entries(files)) write(file, text)
  const start = () => {
    const args = ['eventsource-service', '--root', root, '--bind', '127.0.0.1', '--metrics-port', String(metrics)]
    child = spawn(vedette, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        KUBERNETES_SERVICE_HOST: '',
        ...(object === undefined ? {} : { EVENTSOURCE_OBJECT: base64(object(port)) }),
        ...(bus === undefined ? {} : { EVENTBUS_CONFIG: base64(bus) }),
        EVENTBUS_SUBJECT: 'eventbus-default',
        POD_NAME: name,
        LEADER_ELECTION: '',
        ...env,
      },
    })
    child.stdout!.setEncoding('utf8').on('data', (text) => {
      out += text
    })
    gone = new Promise((resolve) => child.once('close', resolve))
  }
  start()
  t.after(async () => {
    child.kill('SIGKILL')
    await gone
    rmSync(root, { recursive: true, force: true })
  })
  const pod: Pod = {
    name,
    get child() {
      return child
    },
    port,
    log: () =>
      out
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    says: (message) => pod.log().some(({ msg }) => msg === message),
    async get(path) {
      try {
        const answer = await fetch(`http://127.0.0.1:${metrics}${path}`, { signal: AbortSignal.timeout(2_000) })
        return { status: answer.status, text: await answer.text() }
      } catch {
        return { status: 0, text: '' }
      }
    },
    ready: async () => (await pod.get('/readyz')).status === 200,
    leads: async () => /^vedette_leading\{.*\} 1$/m.test((await pod.get('/metrics')).text),
    write,
    restart: start,
    exited: () => gone,
  }
  return pod
}

/** Several of one EventSource. */
export const startPods = (t: TestContext, names: string[], options: Omit<PodOptions, 'name'>): Promise<Pod[]> =>
  Promise.all(names.map((name) => startPod(t, { ...options, name })))

/** Waits until all of them are. */
export const allReady = (pods: readonly Pod[], patienceMs = 20_000): Promise<unknown> =>
  until('all are ready', async () => (await Promise.all(pods.map((pod) => pod.ready()))).every(Boolean), patienceMs)

/** Waits until somebody leads. */
export async function anyLeader(pods: readonly Pod[], patienceMs?: number): Promise<Pod> {
  let leader: Pod | undefined
  await until(
    'somebody leads',
    async () => {
      leader = await leaderOf(pods)
      return leader !== undefined
    },
    patienceMs,
  )
  return leader!
}

/** Who leads now. */
export async function leaderOf(pods: readonly Pod[]): Promise<Pod | undefined> {
  for (const pod of pods) if (await pod.leads()) return pod
  return undefined
}

/**
 * kill -9 of the process of whoever leads, again and again; it is started again when another leads.
 * @returns how long each time until `next` resolved, milliseconds
 */
export async function killLeaders(
  times: number,
  {
    leader,
    linked,
    next,
  }: { leader(): Promise<Pod>; linked(leading: Pod): Promise<unknown>; next(killed: Pod): Promise<unknown> },
): Promise<number[]> {
  const gaps: number[] = []
  for (let i = 0; i < times; i++) {
    const leading = await leader()
    await linked(leading)
    leading.child.kill('SIGKILL')
    const at = performance.now()
    await leading.exited()
    await next(leading)
    gaps.push(performance.now() - at)
    leading.restart()
  }
  return gaps
}

/** The leader that this Pod was linked to last, where a Lease elects. */
export const lastLink = (pod: Pod) =>
  pod
    .log()
    .filter(({ msg }) => /^linked to the leader/.test(String(msg)))
    .at(-1)?.leader

/** What is on the bus of one entry, as `vedette tail --json` would have it. */
export async function linesOf(bus: Pick<Bus, 'read'>, eventSource: string, entry: string): Promise<Line[]> {
  const all = await readAll(bus, { eventSource, entry })
  return all.map(({ seq, timeMs, subject, event }) => ({
    seq,
    time: new Date(timeMs).toISOString(),
    subject,
    event: decodeEvent(event) as Line['event'],
  }))
}

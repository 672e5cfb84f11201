/**
 * The host processes: as many as the largest `replicas`, each restarted when it dies. They share one listening socket per port
 * (sharedPorts.ts).
 */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process'
import type { HostView } from '../api/status.ts'
import { sourceKey } from '../bus/bus.ts'
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Failover, ReplicaReport } from '../runtime/report.ts'
import { entryPoint } from './entryPoint.ts'
import type { Answers, Ask, Assignment, FromHost, HostConfig, ToHost } from './messages.ts'
import { createSharedPorts, type Handle } from './sharedPorts.ts'

export interface Hosts {
  /** By index; also those that are down for the moment. */
  view(): HostView[]
  /** Starts, changes and drains hosts so that they run what they should. Resolves when all have done so. */
  apply(count: number, assign: (index: number) => Assignment): Promise<void>
  /** @throws LOCK_UNAVAILABLE when the host is down or does not answer in time */
  ask<A extends Ask>(
    index: number,
    ask: A,
    timeoutMs: number,
  ): Promise<A['ask'] extends keyof Answers ? Answers[A['ask']] : unknown>
  pids(): number[]
  /** Drains all; those that do not end in time are killed. */
  stop(patienceMs: number): Promise<void>
  kill(): void
}

export interface HostsOptions {
  /** Of the run: in the command line of each process, so that a later run knows whom it may end. */
  dir: string
  config: (index: number) => HostConfig
  clock: Clock
  log: Logger
  /** Where the hosts' log goes: their stderr is this process's own, or comes line by line to this function. */
  onLog: ((text: string) => void) | null
  /** Processes have come or gone. */
  onPids: () => void
  onReport: () => void
  onFailover: (failover: Failover) => void
  /** A process is gone; `key` tells its life from that of the next with the same index. */
  onGone: (key: string) => void
}

/** A host that lived for this long was healthy: its next restart is at once again. */
const HEALTHY_MS = 10_000
const DRAIN_PATIENCE_MS = 15_000
/** After a restart a host asks for its ports while its entries begin to serve, which is a little after it has started. */
const PORTS_SETTLE_MS = 5000

interface Host {
  index: number
  process: ChildProcess | null
  restarts: number
  /** Deaths in a row without a healthy life between. */
  quickDeaths: number
  bornAt: number
  heardAt: number
  reports: Map<string, ReplicaReport>
  assignment: Assignment
  pending: Map<number, { resolve(value: unknown): void; reject(error: Error): void }>
  cancelRestart: () => void
  /** True once it shall not come back. */
  leaving: boolean
  lastWords: string | null
  /** Resolves when the process is gone. */
  gone: Promise<void>
}

export const lifeKey = (index: number, pid: number | null | undefined): string => `${index}/${pid}`

export function createHosts(options: HostsOptions): Hosts {
  const { clock, log, onLog } = options
  const hosts = new Map<number, Host>()
  let stopping = false
  let asked = 0
  const ports = createSharedPorts()

  const launch = (host: Host): Promise<unknown> => {
    const process = fork(entryPoint('./host', import.meta.url), [options.dir], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', onLog === null ? 'inherit' : 'pipe', 'ipc'],
    })
    const { pid } = process
    host.process = process
    host.bornAt = host.heardAt = clock.monotonic()
    host.reports = new Map()
    host.lastWords = null
    if (onLog !== null) process.stderr?.setEncoding('utf8').on('data', onLog)
    process.on('message', (message) => hear(host, process, message as FromHost))
    process.on('error', (error) => log.debug('a message to a host was lost', { host: host.index, error }))
    host.gone = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        ended(host, pid, code, signal)
        resolve()
      })
    })
    options.onPids()
    const config = options.config(host.index)
    const started = tell(host, { ask: 'start', config, assignment: host.assignment }, null)
    return started.then(() => {
      clock.after(PORTS_SETTLE_MS, () => host.process === process && ports.settle(host.index))
    })
  }

  const hear = (host: Host, process: ChildProcess, message: FromHost) => {
    if (host.process !== process) return
    host.heardAt = clock.monotonic()
    switch (message.say) {
      case 'answer': {
        const waiting = host.pending.get(message.number)
        host.pending.delete(message.number)
        if (message.error === undefined) waiting?.resolve(message.value)
        else waiting?.reject(new Error(message.error))
        return
      }
      case 'reports':
        host.reports = new Map(
          message.reports.map((report) => [
            sourceKey({ namespace: report.namespace, name: report.eventSource }),
            report,
          ]),
        )
        return options.onReport()
      case 'failover':
        return options.onFailover(message.failover)
      case 'openPort':
        return void openPort(host, process, message)
      case 'closePort':
        return ports.close(host.index, message.port)
      case 'dying':
        host.lastWords = message.reason
    }
  }

  const openPort = async (
    host: Host,
    process: ChildProcess,
    { number, port, host: address }: { number: number; port: number; host: string },
  ) => {
    const answer = (message: ToHost, handle?: Handle) => {
      if (process.connected) process.send(message, handle as unknown as SendHandle, {}, () => {})
    }
    try {
      const handle = await ports.open(host.index, port, address)
      if (host.process === process) answer({ port, number }, handle)
    } catch (error) {
      answer({ port, number, code: (error as NodeJS.ErrnoException).code ?? messageOf(error) })
    }
  }

  const ended = (host: Host, pid: number | undefined, code: number | null, signal: string | null) => {
    const lived = clock.monotonic() - host.bornAt
    host.process = null
    ports.suspend(host.index)
    for (const { reject } of host.pending.values()) reject(new Error(`host ${host.index} ended`))
    host.pending.clear()
    options.onGone(lifeKey(host.index, pid))
    options.onPids()
    options.onReport()
    if (stopping || host.leaving) return
    host.quickDeaths = lived > HEALTHY_MS || code === 0 ? 0 : host.quickDeaths + 1
    const pauseMs =
      host.quickDeaths <= 1 ? 0 : backoffMs(host.quickDeaths - 2, { firstMs: 100, maxMs: 5000, jitter: 0.2 })
    log.warn('a host process ended; starting it again', {
      host: host.index,
      pid,
      why: host.lastWords ?? (signal === null ? `exit ${code}` : signal),
      inMs: Math.round(pauseMs),
    })
    const again = () => {
      if (stopping || host.leaving) return
      host.restarts++
      launch(host).catch((error: unknown) =>
        log.debug('a host ended before it had started', { host: host.index, error }),
      )
    }
    if (pauseMs === 0) again()
    else host.cancelRestart = clock.after(pauseMs, again)
  }

  const tell = (host: Host, ask: Ask, timeoutMs: number | null): Promise<unknown> => {
    const { process } = host
    if (process === null || !process.connected) {
      return Promise.reject(fail('LOCK_UNAVAILABLE', `host ${host.index} is down`))
    }
    const number = ++asked
    return new Promise((resolve, reject) => {
      const cancel =
        timeoutMs === null
          ? () => {}
          : clock.after(timeoutMs, () => {
              host.pending.delete(number)
              reject(
                fail(
                  'LOCK_UNAVAILABLE',
                  `host ${host.index} (process ${process.pid}) did not answer within ${timeoutMs} ms`,
                ),
              )
            })
      host.pending.set(number, {
        resolve(value) {
          cancel()
          resolve(value)
        },
        reject(error) {
          cancel()
          reject(error)
        },
      })
      process.send({ ...ask, number } satisfies ToHost, (error: Error | null) => {
        if (error === null) return
        host.pending.get(number)?.reject(error)
        host.pending.delete(number)
      })
    })
  }

  const drain = async (host: Host, patienceMs: number): Promise<void> => {
    host.leaving = true
    host.cancelRestart()
    const { process } = host
    if (process === null) return ports.leave(host.index)
    const cancel = clock.after(patienceMs, () => {
      log.warn('a host process does not end; killing it', { host: host.index, pid: process.pid })
      process.kill('SIGKILL')
    })
    tell(host, { ask: 'drain' }, null).catch(() => {})
    await host.gone
    cancel()
    ports.leave(host.index)
  }

  return {
    view: () =>
      [...hosts.values()]
        .sort((a, b) => a.index - b.index)
        .map((host) => ({
          index: host.index,
          pid: host.process?.pid ?? null,
          restarts: host.restarts,
          silentMs: clock.monotonic() - host.heardAt,
          reports: host.reports,
        })),
    async apply(count, assign) {
      const work: Promise<unknown>[] = []
      for (let index = 0; index < count; index++) {
        const assignment = assign(index)
        const host = hosts.get(index)
        if (host === undefined) {
          const fresh: Host = {
            index,
            process: null,
            restarts: 0,
            quickDeaths: 0,
            bornAt: 0,
            heardAt: 0,
            reports: new Map(),
            assignment,
            pending: new Map(),
            cancelRestart: () => {},
            leaving: false,
            lastWords: null,
            gone: Promise.resolve(),
          }
          hosts.set(index, fresh)
          work.push(launch(fresh))
        } else {
          host.assignment = assignment
          // one that is down gets it when it starts
          if (host.process !== null) work.push(tell(host, { ask: 'apply', assignment }, 15_000))
        }
      }
      for (const host of [...hosts.values()].filter(({ index }) => index >= count)) {
        work.push(drain(host, DRAIN_PATIENCE_MS).then(() => hosts.delete(host.index)))
      }
      const results = await Promise.allSettled(work)
      for (const result of results) {
        if (result.status === 'rejected')
          log.warn('a host has not taken its objects over yet', { error: result.reason })
      }
    },
    async ask(index, ask, timeoutMs) {
      const host = hosts.get(index)
      if (host === undefined) throw fail('LOCK_UNAVAILABLE', `there is no host ${index}`)
      return (await tell(host, ask, timeoutMs)) as never
    },
    pids: () => [...hosts.values()].flatMap(({ process }) => (process?.pid === undefined ? [] : [process.pid])),
    async stop(patienceMs) {
      stopping = true
      await Promise.all([...hosts.values()].map((host) => drain(host, patienceMs)))
    },
    kill() {
      stopping = true
      for (const { process } of hosts.values()) process?.kill('SIGKILL')
    },
  }
}

/** A broker as tests of delivery see it: what an entry reads, how messages get there, and what may happen to it. Each type is an adapter. */
import type { TestContext } from 'node:test'
import type { Guarantee } from '../../src/source.ts'
import { dataOf, type Line, type Rig } from '../faults/rig.ts'
import type { ServerProcess } from '../servers/process.ts'
import type { TcpProxy } from '../servers/proxy.ts'

/** A broker with what the messages go through. */
export interface Broker {
  /** The entry's fields, YAML; the payload must show the message's JSON as `body`, unless the adapter knows how to find its number. */
  spec: string
  /** Further documents of the manifest. */
  documents?: string[]
  /** More environment for the run. */
  env?: Record<string, string>
  /** Sends JSON texts in order; resolves when the broker has them. Rejects while the broker is away. */
  send(texts: string[]): Promise<void>
  /** How many replicas listen; for hot standby. */
  listeners?(): Promise<number>
  /** Graceful stop and start, or whatever else brokers do. @param rig what status says meanwhile */
  restart(rig: Pick<Rig, 'status'>): Promise<void>
  /** Its process as it was started last, to be frozen, or killed and started again by `restart`. */
  server?(): Pick<ServerProcess, 'child' | 'freeze' | 'thaw' | 'kill'>
  /** By which an entry that was not to come directly reaches it, where it has one of its own. */
  proxy?: TcpProxy
  close(): Promise<void>
}

/** The port by which an entry reaches a port of its broker: perhaps a proxy's. */
export type Via = (port: number) => number | Promise<number>

export const direct: Via = (port) => port

export interface DeliveryAdapter {
  type: string
  /** What distinguishes several adapters of one type. */
  variant?: string
  guarantee: Guarantee
  /** Over JetStream in every length: it stands there for all whose origin keeps what it told in the same way. Those only with VEDETTE_FULL=1. */
  overJetStream?: true
  /** What its broker has stored without confirming it, and the sender repeats, is there twice: nothing is sent while the broker restarts. */
  repeats?: boolean
  /** Messages that may be unacknowledged: what at-least-once may double at each fault. */
  unacknowledged?: number
  /** Where the origin itself needs longer until it can tell anything than others do, milliseconds. */
  gapMs?: number
  /** The number that an event tells of. Default: `body.n`. */
  numberOf?(line: Line): number
  /** For `test`'s options. */
  skip: string | false
  /** @param name of this test only, so that queues do not meet */
  start(t: Pick<TestContext, 'after'>, name: string, via?: Via): Promise<Broker>
}

export const bodyNumber = (line: Line): number => dataOf(line).body.n

export const titleOf = ({ type, variant }: Pick<DeliveryAdapter, 'type' | 'variant'>): string =>
  variant === undefined ? type : `${type} (${variant})`

/** The EventSource `queue` with the entry `numbers`. */
export function manifest(type: string, spec: string, replicas: number): string {
  return `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: queue
spec:
  replicas: ${replicas}
  ${type}:
    numbers:
${spec.trim().replace(/^/gm, '      ')}
`
}

/** One server for all tests of a file, started when the first asks for it. */
export function sharedServer<S extends { close(): Promise<void> }>(
  start: () => Promise<S>,
): { get(): Promise<S>; close(): Promise<void> } {
  let server: Promise<S> | null = null
  return {
    get() {
      server ??= start()
      return server
    },
    close: async () => (await server)?.close(),
  }
}

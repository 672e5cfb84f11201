/** A real NATS server or cluster for a test, and buses on it. */
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { connect, headers } from '@nats-io/transport-node'
import type { Append, Bus, SourceRef, Stored } from '../../src/bus/bus.ts'
import { type JetStreamBus, type JetStreamOptions, openJetStream } from '../../src/bus/jetstream/bus.ts'
import { connectNats, type NatsClient, type NatsOptions } from '../../src/clients/nats.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { type NatsServers, type NatsOptions as ServerOptions, startNats } from '../servers/nats.ts'
import { until } from './bus.ts'

const clock = systemClock
const log = silentLogger

export interface Opened {
  bus: JetStreamBus
  client: NatsClient
}

export interface NatsFixture extends Awaited<ReturnType<typeof startNats>> {
  client(options?: Partial<NatsOptions>): NatsClient
  /** A bus that is ready. */
  open(options?: Partial<NatsOptions & JetStreamOptions>): Promise<Opened>
}

/** @param replicas of the stream; by default as many as there are servers */
export async function startJetStream(options: ServerOptions & { replicas?: number } = {}): Promise<NatsFixture> {
  const servers = await startWhole(options)
  const replicas = options.replicas ?? options.nodes ?? 1
  const all = new Set<{ close(): Promise<void> }>()
  /** Resolves when each server of a cluster, which has only just come together, knows who leads. */
  let settled: Promise<void> | null = null
  const client = (more: Partial<NatsOptions> = {}) => {
    const made = connectNats({
      servers: servers.urls,
      name: 'test',
      credentials: async () => null,
      clock,
      log,
      ...more,
    })
    all.add(made)
    return made
  }
  return {
    ...servers,
    client,
    async open(more = {}) {
      const connection = more.client ?? client(more)
      const bus = openJetStream({ streamConfig: `replicas: ${replicas}`, clock, log, ...more, client: connection })
      all.add(bus)
      await until('the stream is ready', () => bus.status().connected, 30_000)
      if (servers.urls.length > 1) settled ??= everywhere(servers.urls)
      await settled
      return { bus, client: connection }
    },
    async close() {
      await Promise.all([...all].map((one) => one.close()))
      await servers.close()
    },
  }
}

const MOST_STARTS = 5

/**
 * nats-server 2.10 counts one server too few for ever when its first metadata leader is elected before all routes are there ("Decreasing our
 * clustersize: 3 -> 2", in about 3 of 100 fresh clusters), and then takes no stream of as many copies as there are servers: begun anew.
 */
async function startWhole(options: ServerOptions): Promise<NatsServers> {
  const { line, nodes = 1 } = options
  for (let starts = 1; ; starts++) {
    const servers = await startNats(options)
    if (line !== 'argo' || nodes === 1 || (await isWhole(servers.urls[0]!, nodes))) return servers
    await servers.close()
    if (starts === MOST_STARTS) throw new Error(`no cluster of ${nodes} servers has come about in ${starts} starts`)
  }
}

async function isWhole(url: string, nodes: number): Promise<boolean> {
  const nc = await connect({ servers: url, ignoreClusterUpdates: true })
  const ask = async (verb: string, body: object) => {
    const answer = await nc.request(`$JS.API.STREAM.${verb}.whole`, JSON.stringify(body), { timeout: 2_000 })
    return answer.json<{ error?: object }>().error === undefined
  }
  const probe = { name: 'whole', subjects: ['whole'], storage: 'memory', retention: 'limits', num_replicas: nodes }
  try {
    await until(
      'a stream with a copy on each server can be made',
      () => ask('CREATE', probe).catch(() => false),
      10_000,
    )
    await until('it is gone again', () => ask('DELETE', {}).catch(() => false), 10_000)
    return true
  } catch {
    return false
  } finally {
    await nc.close()
  }
}

/** One that ends with the test. */
export async function jetStreamFor(
  t: Pick<TestContext, 'after'>,
  options?: Parameters<typeof startJetStream>[0],
): Promise<NatsFixture> {
  const fixture = await startJetStream(options)
  t.after(() => fixture.close())
  return fixture
}

/**
 * Waits until stream and buckets answer whoever asks at any of the servers: after they are made, word of their leaders still has to
 * travel. What is sent expects a sequence number that there never was, so it is answered, and not stored.
 */
async function everywhere(urls: string[]): Promise<void> {
  for (const url of urls) {
    const nc = await connect({ servers: url, ignoreClusterUpdates: true })
    const unmet = headers()
    unmet.set('Nats-Expected-Stream', 'another')
    for (const subject of ['default.probe.probe', '$KV.vedette.probe', '$KV.vedette-leases.probe']) {
      await until(`${subject} is led`, () =>
        nc.request(subject, '', { headers: unmet, timeout: 2_000 }).then(
          () => true,
          () => false,
        ),
      )
    }
    await nc.close()
  }
}

export const newSource = (namespace = 'test'): SourceRef => ({ namespace, name: `s${randomBytes(6).toString('hex')}` })

export const claimOf = (holder: string) => ({ holder, nonce: randomBytes(8).toString('hex'), floor: 0 })

/** JetStream knows an id for the whole stream, where the contract uses `a` and `b` in every test: each source gets its own. */
export function withOwnIds(bus: Bus): Bus {
  const prefix = ({ namespace, name }: SourceRef) => `${namespace}/${name}/`
  const to = <M extends object>(source: SourceRef, batch: M[]) =>
    batch.map((member) =>
      'id' in member ? { ...member, id: `${prefix(source)}${(member as M & Append).id}` } : member,
    )
  const from = (stored: Stored): Stored => ({ ...stored, id: stored.id.slice(stored.id.lastIndexOf('/') + 1) })
  return Object.create(bus, {
    append: { value: (source: SourceRef, batch: Append[]) => bus.append(source, to(source, batch)) },
    appendFenced: {
      value: ((fence, batch) => bus.appendFenced(fence, to(fence.source, batch))) satisfies Bus['appendFenced'],
    },
    tail: { value: (async (...args) => (await bus.tail(...args)).map(from)) satisfies Bus['tail'] },
    read: {
      value: async function* (options?: Parameters<Bus['read']>[0]) {
        for await (const stored of bus.read(options)) yield from(stored)
      },
    },
  }) as Bus
}

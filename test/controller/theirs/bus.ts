/** Their client of the bus: TLS without verification, no reconnecting but for a look every five seconds, five attempts for each event. */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection, nanos } from '@nats-io/transport-node'
import { parse } from 'yaml'
import { encodeEvent, randomId } from '../../../src/core/event.ts'

export interface BusConfig {
  url: string
  accessSecret?: object
  streamConfig: string
}

export interface TheirBus {
  /** @throws when the connection is closed, at once; or after five attempts */
  publish(entry: string, type: string, data: Uint8Array): Promise<void>
}

const RECONNECT_MS = 5_000
const ATTEMPTS = 5
/** Uniform from one to two seconds. */
const backoff = () => pause(1_000 + Math.random() * 1_000)

const retried = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      console.error(`attempt ${attempt}: ${error}`)
      if (attempt === ATTEMPTS) throw error
      await backoff()
    }
  }
}

function login({ accessSecret }: BusConfig): { user?: string; pass?: string } {
  if (accessSecret === undefined) return {}
  const { username, password } = parse(readFileSync('/etc/eventbus/auth/auth.yaml', 'utf8'))
  return { user: username, pass: password }
}

export const open = (config: BusConfig, reconnect: boolean): Promise<NatsConnection> =>
  connect({
    ...{ servers: config.url.split(','), reconnect, timeout: 2_000, ...login(config) },
    ...(reconnect ? { maxReconnectAttempts: -1, reconnectTimeWait: 2_000, reconnectJitterTLS: 1_000 } : {}),
    tls: { rejectUnauthorized: false } as object,
  })

export async function connectBus(config: BusConfig, source: string): Promise<TheirBus> {
  let nc = await retried(async () => {
    const nc = await open(config, false)
    await makeStream(nc, config)
    return nc
  })
  setInterval(async () => {
    if (!nc.isClosed()) return
    nc = await open(config, false).catch((error) => {
      console.error(`to reconnect: ${error}`)
      return nc
    })
  }, RECONNECT_MS)
  return {
    async publish(entry, type, data) {
      const id = randomId()
      const event = encodeEvent({ id, source, type, subject: entry, timeMs: Date.now() }, data)
      if (nc.isClosed()) throw new Error('failed to publish event, eventbus connection closed')
      await retried(() => jetstream(nc).publish(`default.${source}.${entry}`, event, { msgID: id, timeout: 5_000 }))
    },
  }
}

/** Unless it is there. */
async function makeStream(nc: NatsConnection, { streamConfig }: BusConfig): Promise<void> {
  const manager = await jetstreamManager(nc)
  if ((await manager.streams.info('default').catch(() => null)) !== null) return
  const { maxage, maxmsgs, maxbytes, replicas, duplicates } = parse(streamConfig)
  await manager.streams.add({
    ...{ name: 'default', subjects: ['default.*.*'], storage: 'file', num_replicas: replicas || 1 },
    ...{ max_msgs: maxmsgs || -1, max_bytes: maxbytes || -1 },
    ...{ max_age: nanos(milliseconds(maxage)), duplicate_window: nanos(milliseconds(duplicates)) },
  })
}

const milliseconds = (duration: string): number => {
  const [, number = '', unit = ''] = /^(\d+)(h|m|s)$/.exec(duration)!
  return Number(number) * { h: 3_600_000, m: 60_000, s: 1_000 }[unit]!
}

/** An AMQP connection to the host of an entry, by TCP or TLS, that can be ended whether the other side answers or not. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Connection } from 'rhea-promise'
import { bareHost, serverNameOf } from '../../clients/server-name.ts'
import type { AzureEventsHubSpec } from './spec.ts'

export interface Transport {
  /** Not open yet; it does not connect again by itself. */
  connection: Connection
  /** True while TLS is being agreed on. */
  readonly agreeing: boolean
  /** Ends it at once. */
  cut(): void
}

/** An idle connection is kept by empty frames, and given up when none comes for twice as long. */
const IDLE_MS = 60_000

/** @param timeoutMs of one operation of the connection */
export function transportTo(
  { fqdn, useDevelopmentEmulator }: Pick<AzureEventsHubSpec, 'fqdn' | 'useDevelopmentEmulator'>,
  { Connection }: typeof import('rhea-promise'),
  timeoutMs: number,
): Transport {
  let socket: Socket | null = null
  let agreeing = false
  const [, named = fqdn, port = useDevelopmentEmulator ? '5672' : '5671'] =
    /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(fqdn) ?? []
  const host = bareHost(named)
  const at = { host, port: Number(port) }
  const open = (_port: number, _host: string, _options: unknown, connected: () => void): Socket => {
    if (useDevelopmentEmulator) {
      socket = connectTcp(at, connected)
      return socket
    }
    socket = connectTls({ ...at, servername: serverNameOf(host) ?? '' }, () => {
      agreeing = false
      connected()
    })
    socket.once('connect', () => {
      agreeing = true
    })
    return socket
  }
  const connection = new Connection({
    ...at,
    hostname: host,
    transport: 'tcp',
    connection_details: () => ({ ...at, connect: open }),
    // What proves who we are comes later, link by link: SASL ANONYMOUS, which needs some name.
    username: 'vedette',
    properties: { product: 'vedette' },
    reconnect: false,
    idle_time_out: IDLE_MS,
    operationTimeoutInSeconds: timeoutMs / 1000,
  })
  return {
    connection,
    get agreeing() {
      return agreeing
    },
    cut() {
      // The error ends the library's timers too.
      if (socket !== null && !socket.destroyed) socket.destroy(new Error('closed'))
    },
  }
}

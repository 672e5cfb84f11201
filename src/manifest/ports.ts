/** Entries that would stand in each other's way on one port. */

import { quote } from '../core/quote.ts'
import type { ReadEntry } from './eventsource.ts'
import { refuse } from './eventsource.ts'
import type { Entry, EventSource } from './manifest.ts'
import type { Notes } from './notes.ts'

export interface Holder {
  source: EventSource
  entry: Entry
}

interface Taken extends Holder {
  tls: boolean
}

/** Remembers who listens where, over all documents. */
export interface Ports {
  /** What each port was first taken for, by port; and by port and endpoint. */
  ports: Map<number, Taken>
  routes: Map<string, Taken>
}

export function noPorts(): Ports {
  return { ports: new Map(), routes: new Map() }
}

/** Warns of entries that cannot be reached because an earlier one has their port and endpoint, or their port without TLS. */
export function checkPorts(source: EventSource, entries: ReadEntry[], taken: Ports, notes: Notes): void {
  for (const { entry, path, definition } of entries) {
    if (entry.refused !== undefined || definition?.listens === undefined) continue
    const mine: Taken = { source, entry, tls: usesTls(entry.spec) }
    const listens = definition.listens(entry.spec)
    entry.ports = [...new Set(listens.map(({ port }) => port))]
    for (const { port, endpoint } of listens) {
      const route = `${port} ${endpoint}`
      const message = clash(mine, taken.ports.get(port), taken.routes.get(route), port, endpoint)
      if (message === null) {
        if (!taken.ports.has(port)) taken.ports.set(port, mine)
        taken.routes.set(route, mine)
        continue
      }
      const remedy = 'change its port or endpoint'
      notes.add({ severity: 'warning', path, on: 'key', message, remedy, fatal: true })
      refuse(entry, message)
      break
    }
  }
}

function clash(mine: Taken, onPort: Taken | undefined, onRoute: Taken | undefined, port: number, endpoint: string) {
  if (onRoute !== undefined) {
    return `port ${port} and endpoint ${quote(endpoint)} are those of ${name(onRoute, mine)}, which gets all requests`
  }
  if (onPort !== undefined && onPort.tls !== mine.tls) {
    return `port ${port} is ${onPort.tls ? '' : 'not '}served with TLS for ${name(onPort, mine)}: a port is either or`
  }
  return null
}

/** An entry as another one's message calls it. */
export function name({ source, entry }: Holder, seenFrom: Holder): string {
  const where = source === seenFrom.source ? '' : ` of EventSource ${source.name}`
  return `the event ${quote(entry.name)}${where} (${entry.place.file}:${entry.place.line})`
}

/** HTTP types have upstream's webhook context, inline or under `webhook`; both Secrets together turn TLS on. */
function usesTls(spec: unknown): boolean {
  const { webhook } = spec as { webhook?: object }
  const context = (webhook ?? spec) as { serverCertSecret?: unknown; serverKeySecret?: unknown }
  return Boolean(context.serverCertSecret && context.serverKeySecret)
}

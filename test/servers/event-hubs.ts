/** The double of Azure Event Hubs as a process that can be restarted, and the official client that sends to it. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EventHubProducerClient } from '@azure/event-hubs'
import { directoryFor, freePorts, type LastingServer, startLasting, startProcess } from './process.ts'

export interface EventHubsServer extends LastingServer {
  /** As `fqdn` of an entry, which needs `useDevelopmentEmulator` too. */
  readonly fqdn: string
  /** The shared access policy. */
  readonly policy: { name: string; key: string }
  /** The official producer for a hub. It does not try again by itself: who does so may not know whether the first was stored. */
  producer(hub: string): EventHubProducerClient
}

/** @param hubs partitions by hub */
export async function startEventHubs(hubs: Record<string, number>): Promise<EventHubsServer> {
  const dir = directoryFor('event-hubs')
  const [port] = (await freePorts(1)) as [number]
  const policy = { name: 'listen-and-send', key: randomBytes(32).toString('base64') }
  const options = JSON.stringify({ file: join(dir, 'hubs.jsonl'), port, hubs, policy })
  const main = fileURLToPath(new URL('./fakes/event-hubs-process.ts', import.meta.url))
  const start = () =>
    startProcess(process.execPath, [main], {
      env: { EVENT_HUBS_DOUBLE: options },
      ready: async ({ output }) => output().includes('listening'),
    })
  const fqdn = `127.0.0.1:${port}`
  return Object.assign(await startLasting(dir, start), {
    fqdn,
    policy,
    producer: (hub: string) =>
      new EventHubProducerClient(
        `Endpoint=sb://${fqdn};SharedAccessKeyName=${policy.name};SharedAccessKey=${policy.key};UseDevelopmentEmulator=true`,
        hub,
        // A send that was under way when the connection ended is told so by its time-out only.
        { retryOptions: { maxRetries: 0, timeoutInMs: 15_000 } },
      ),
  })
}

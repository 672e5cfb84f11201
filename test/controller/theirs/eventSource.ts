/** One Pod of an EventSource as Argo Events runs it: everything serves the webhook at once, all else serves who is elected. */
import { type BusConfig, connectBus, type TheirBus } from './bus.ts'
import { electByHeartbeats, electByLease } from './election.ts'
import { serveWebhook } from './webhook.ts'
import { type Worker, workers } from './workers.ts'

export interface TheirObject {
  metadata: { name: string; namespace: string }
  spec: Record<string, any>
}

const decoded = (value = '') => JSON.parse(Buffer.from(value, 'base64').toString())

export async function serveEventSource(env: NodeJS.ProcessEnv): Promise<void> {
  const object = decoded(env.EVENTSOURCE_OBJECT) as TheirObject
  const { jetstream } = decoded(env.EVENTBUS_CONFIG) as { jetstream: BusConfig }
  const end = new AbortController()
  process.once('SIGTERM', () => end.abort())
  if (object.spec.webhook !== undefined) {
    const bus = await connectBus(jetstream, object.metadata.name)
    await serveWebhook(object, bus, end.signal)
    process.exit(0)
  }
  const lead = (signal: AbortSignal) => void work(object, jetstream, signal).catch(fatal)
  if (env.LEADER_ELECTION?.toLowerCase() === 'k8s') {
    await electByLease({ namespace: object.metadata.namespace, name: `eventsource-${object.metadata.name}` }, lead, end)
    // Their elector ends the process with 1 whatever the reason was.
    process.exit(1)
  }
  await electByHeartbeats(
    `${object.metadata.namespace}-eventsource-${object.metadata.name}`,
    jetstream,
    lead,
    end.signal,
  )
  process.exit(0)
}

function fatal(error: unknown): never {
  console.error(error)
  process.exit(1)
}

/** What a leader does: it connects to the bus, then begins each entry where it is now. */
async function work(object: TheirObject, config: BusConfig, signal: AbortSignal): Promise<void> {
  const bus: TheirBus = await connectBus(config, object.metadata.name)
  for (const [type, work] of Object.entries(workers) as [string, Worker][])
    for (const [entry, spec] of Object.entries(object.spec[type] ?? {}))
      work({ spec, signal, publish: (data) => bus.publish(entry, type, data) }).catch(fatal)
  console.log('Eventing server started.')
}

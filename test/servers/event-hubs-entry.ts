/** An entry of type azureEventsHub in the harness, with the double of Event Hubs in this process. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { EventHubProducerClient } from '@azure/event-hubs'
import type { HubPosition } from '../../src/sources/azureEventsHub/position.ts'
import azureEventsHub from '../../src/sources/azureEventsHub.ts'
import { type Harness, serveInHarness } from '../harness.ts'
import { type FakeEventHubs, type FakeEventHubsOptions, startFakeEventHubs } from './fakes/event-hubs.ts'

/** How long anything may take, milliseconds. */
export const PATIENCE_MS = 30_000

/** The fields that name the keys of `secrets`. */
export const keys = { sharedAccessKeyName: { name: 's', key: 'name' }, sharedAccessKey: { name: 's', key: 'key' } }

/** What an entry needs to read the hub `orders`. */
export interface Entry {
  spec: { fqdn: string; hubName: string; useDevelopmentEmulator?: boolean }
  secrets: Record<string, string>
}

export interface OpenHub extends FakeEventHubs, Entry {
  policy: { name: string; key: string }
  /** Of the policy, as the official clients take it. */
  connectionString: string
  /** Sends texts by the official client. */
  send(partition: number, ...texts: string[]): Promise<void>
}

/** The double with one hub, `orders`. */
export async function openHub(
  t: TestContext,
  partitions = 1,
  options: Partial<FakeEventHubsOptions> = {},
): Promise<OpenHub> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-event-hubs-'))
  const policy = { name: 'listen', key: randomBytes(32).toString('base64') }
  const file = join(dir, 'hubs.jsonl')
  const server = await startFakeEventHubs({ file, hubs: { orders: partitions }, policy, ...options })
  const fqdn = `127.0.0.1:${server.port}`
  const connectionString = `Endpoint=sb://${fqdn};SharedAccessKeyName=${policy.name};SharedAccessKey=${policy.key};UseDevelopmentEmulator=true`
  const producer = new EventHubProducerClient(connectionString, 'orders')
  t.after(async () => {
    await producer.close()
    await server.close()
    rmSync(dir, { recursive: true })
  })
  return {
    ...server,
    policy,
    connectionString,
    spec: { fqdn, hubName: 'orders', useDevelopmentEmulator: true, ...keys },
    secrets: { 's/name': policy.name, 's/key': policy.key },
    async send(partition, ...texts) {
      const events = texts.map((text) => ({ body: Buffer.from(text) }))
      await producer.sendBatch(events, { partitionId: String(partition) })
    },
  }
}

/** Serves an entry until the test ends. */
export function serveEntry(
  t: TestContext,
  { spec, secrets }: Entry,
  options: Parameters<typeof serveInHarness<unknown, HubPosition>>[2] = {},
): Harness<HubPosition> {
  const harness = serveInHarness<any, HubPosition>(azureEventsHub, spec, { secrets, ...options })
  t.after(() => harness.stop())
  return harness
}

/** Resolves when nothing is wrong and all partitions are received from. */
export const receiving = (harness: Harness<HubPosition>): Promise<void> =>
  harness.until(({ conditions }) => conditions.at(-1) === null, PATIENCE_MS)

/** What was sent, in the order of the events. */
export const bodies = ({ emitted }: Harness<HubPosition>): string[] =>
  emitted.map(({ text }) => Buffer.from(JSON.parse(text).body, 'base64').toString())

/** The double of Azure Event Hubs for tests of delivery: a process that keeps its messages, filled by the official client. */

import { dataOf } from '../faults/rig.ts'
import { startEventHubs } from '../servers/event-hubs.ts'
import { openHub, receiving } from '../servers/event-hubs-entry.ts'
import type { DeliveryAdapter } from './broker.ts'
import type { ContractAdapter } from './suites.ts'

const PARTITIONS = 3

export const eventHubsAdapter = (): DeliveryAdapter => ({
  type: 'azureEventsHub',
  guarantee: 'exactly-once',
  skip: false,
  numberOf: (line) => JSON.parse(Buffer.from(dataOf(line).body, 'base64').toString()).n,
  async start() {
    const server = await startEventHubs({ numbers: PARTITIONS })
    const producer = server.producer('numbers')
    let sends = 0
    return {
      documents: [
        `apiVersion: v1
kind: Secret
metadata: { name: policy }
stringData: { name: ${server.policy.name}, key: "${server.policy.key}" }`,
      ],
      spec: `fqdn: ${server.fqdn}
hubName: numbers
useDevelopmentEmulator: true
sharedAccessKeyName: { name: policy, key: name }
sharedAccessKey: { name: policy, key: key }`,
      async send(texts) {
        // One transfer, which is stored whole or not at all.
        const partitionId = String(sends++ % PARTITIONS)
        await producer.sendBatch(
          texts.map((text) => ({ body: Buffer.from(text) })),
          { partitionId },
        )
      },
      restart: () => server.restart(),
      server: () => server.server,
      async close() {
        await producer.close()
        await server.close()
      },
    }
  },
})

export const delivery = () => [eventHubsAdapter()]

export const contract = (): ContractAdapter[] => [
  {
    skip: false,
    async setUp(t) {
      const hub = await openHub(t, 2)
      let n = 0
      return {
        spec: hub.spec,
        options: () => ({ secrets: hub.secrets }),
        ready: receiving,
        provoke: () => hub.send(n % 2, `message ${n++}`),
      }
    },
  },
]

/**
 * What every type that listens must keep: two things that happened are two events, whatever their senders call them; what a sender
 * repeats is one. Through a whole replica: listener, proof, source, pipeline and a bus that knows its ids.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { memoryBusWorld } from '../../src/bus/memory.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { createRedactor } from '../../src/core/redact.ts'
import { memoryLock } from '../../src/ha/locks/memory.ts'
import { createListeners } from '../../src/runtime/http/listeners.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { startReplica } from '../../src/runtime/replica.ts'
import { localSecrets } from '../../src/runtime/secrets.ts'
import type { SourceDefinition } from '../../src/source.ts'
import { freePort, rawRequest } from '../raw-http.ts'

/** One request. */
export interface Sent {
  /** Default: `POST /e`. */
  start?: string
  headers?: Record<string, string>
  body?: string
}

/**
 * Two requests, and what they are: `one` event and its repeat; `two` events, each of which is known when it is repeated; or `nameless`,
 * two events that nobody can tell from repeats.
 */
export type Pair = [what: string, are: 'one' | 'two' | 'nameless', first: Sent, second: Sent]

export interface Sender {
  /** Names it in the tests' titles. */
  name?: string
  /** The spec for a port; its Secret is `s`. */
  spec: (port: number) => unknown
  /** Values of the Secret `s`. */
  secrets?: Record<string, string>
  /** Headers that every request has, its proof among them. */
  always?: (sent: Sent) => Record<string, string>
}

const PLACE = { file: 'test.yaml', line: 1, column: 1 }

export function identityContract(definition: SourceDefinition<any, any>, sender: Sender, pairs: Pair[]): void {
  for (const [what, are, first, second] of pairs) {
    const title = [definition.type, sender.name ?? [], what].flat().join(', ')
    test(`${title}: ${are}`, async (t) => {
      const { post, stored } = await serve(t, definition, sender)
      const ids = [await post(first), await post(second)]
      const events = are === 'one' ? 1 : 2
      assert.equal(stored(), events, 'events on the log')
      if (ids.some((id) => id !== undefined)) assert.equal(new Set(ids).size, events, 'ids that the sender is told')
      await post(first)
      await post(second)
      assert.equal(stored(), are === 'nameless' ? 4 : events, 'after a repeat of both')
    })
  }
}

/** One replica with one entry, to which requests are posted. */
export async function serve(t: TestContext, definition: SourceDefinition<any, any>, sender: Sender) {
  const port = await freePort()
  const world = memoryBusWorld()
  const bus = world.connect('host')
  const listeners = createListeners({ bind: '127.0.0.1', clock: systemClock, log: silentLogger })
  const spec = definition.spec.parse(sender.spec(port))
  const replica = await startReplica({
    object: {
      namespace: 'default',
      name: 'es',
      labels: {},
      annotations: {},
      replicas: 1,
      eventBusName: 'default',
      entries: [{ type: definition.type, name: 'e', spec, place: PLACE }],
      spec: {},
      place: PLACE,
    },
    id: 'es-0',
    bus,
    lock: memoryLock(bus, 'default/es'),
    suspicions: [],
    listeners,
    redactor: createRedactor(),
    secrets: localSecrets({
      secrets: [{ namespace: 'default', name: 's', data: sender.secrets ?? {} }],
      configMaps: [],
    }),
    metrics: createMetrics(),
    clock: systemClock,
    log: silentLogger,
    onReport: () => {},
    onFailover: () => {},
    load: async () => (definition.hooks === undefined ? definition : { ...definition, hooks: async () => null }),
  })
  t.after(async () => {
    await replica.stop()
    await listeners.close()
    await bus.close()
  })
  for (let tries = 0; replica.report().entries[0]?.serving !== true; tries++) {
    assert.ok(tries < 1000, 'it does not serve')
    await pause(5)
  }
  return {
    stored: () => world.log().length,
    /** @returns the event's id */
    async post(sent: Sent): Promise<string | undefined> {
      const { start = 'POST /e', headers = {}, body = '{}' } = sent
      const all = { 'Content-Type': 'application/json', ...sender.always?.(sent), ...headers }
      const lines = Object.entries(all).map(([name, value]) => `\n${name}: ${value}`)
      const reply = await rawRequest(
        port,
        `${start} HTTP/1.1${lines.join('')}`,
        start.startsWith('GET') ? undefined : body,
      )
      assert.equal(reply.status, 200, reply.body)
      return reply.headers['x-event-id']
    },
  }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../../test/fake-clock.ts'
import type { PubAck } from '../../clients/nats-acks.ts'
import type { NatsKv } from '../../clients/nats-kv.ts'
import { createFence, type FenceParts } from './fence.ts'
import { code } from './outcome.ts'

const refusedWith = (err_code: number): PubAck => ({
  stream: 'default',
  seq: 0,
  error: { code: 400, err_code, description: 'no' },
})

function fenceWith(parts: Partial<FenceParts>) {
  const source = { namespace: 'n', name: 's' }
  const record = { term: 1, holder: 'r-0', nonce: 'x', positions: {}, since: null }
  const facts = {
    ...{
      created: '2026-01-01T00:00:00Z',
      replicas: 3,
      maxAgeMs: 0,
      maxMessages: -1,
      maxBytes: -1,
      dedupMs: 1,
      maxMessageBytes: 0,
    },
    fencing: { kind: 'batch' as const },
  }
  return createFence({
    ...{ source, record, facts, seq: 10, positions: new Map([['e', 0]]), maxEventBytes: () => 1_000 },
    ...{ connected: () => true, clock: fakeClock(), newestRecord: async () => 10 },
    // Positions this small never leave the record.
    kv: {} as NatsKv,
    sender: { single: () => assert.fail('a message alone'), batch: () => assert.fail('a batch') },
    ...parts,
  })
}

const batch = Array.from({ length: 300 }, (_, i) => ({
  entry: 'e',
  id: `id-${i}`,
  event: Buffer.from('{}'),
  position: i,
}))

test('a batch that a newer term has stored already is refused at once, not member by member', async () => {
  const fence = fenceWith({
    sender: {
      single: () => assert.fail('a message alone'),
      batch: async () => refusedWith(code.duplicateInBatch),
    },
    newestRecord: async () => 11,
  })
  const outcomes = await fence.append(batch)
  assert.deepEqual(new Set(outcomes.map(({ outcome }) => outcome)), new Set(['fenced']))
  assert.equal(fence.known.positions.get('e'), 0)
})

test('a batch of which something was stored is sent member by member, in order, by the term that rules', async () => {
  const sent: string[] = []
  const fence = fenceWith({
    sender: {
      async single({ headers, subject }) {
        if (subject.includes('$term-')) return { stream: 'default', seq: 400 }
        sent.push(String(headers['Nats-Msg-Id']))
        return { stream: 'default', seq: 10 + sent.length, duplicate: sent.length <= 2 }
      },
      batch: async () => refusedWith(code.duplicateInBatch),
    },
  })
  const outcomes = await fence.append(batch)
  assert.deepEqual(
    sent,
    batch.map(({ id }) => id),
  )
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    [...Array(2).fill('duplicate'), ...Array(298).fill('stored')],
  )
  assert.equal(fence.known.positions.get('e'), 299)
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { jetstreamLock } from '../../src/ha/locks/jetstream-kv.ts'
import { noRespondersPeers } from '../../src/ha/peers/no-responders.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { startJetStream } from './jetstream.fixture.ts'
import { lockContract, record } from './lock.ts'

for (const [name, line, nodes] of [
  ['one server', 'newest', 1],
  ['three servers, three replicas', 'newest', 3],
  ['2.9', 'debian', 1],
] as const) {
  suite(name, { skip: without('nats-server', natsBinary(line)) }, () => {
    lockContract(`jetstream, ${name}`, async () => {
      const fixture = await startJetStream({ line, nodes })
      return {
        async open(key) {
          const { bus, client } = await fixture.open()
          const lock = jetstreamLock({ leases: bus.leases, client, name: key })
          const peers = noRespondersPeers({ client, lock, name: key, clock: systemClock })
          return {
            lock: peers.lock,
            suspicion: peers,
            async kill() {
              peers.close()
              await bus.close()
            },
          }
        },
        close: () => fixture.close(),
      }
    })
  })
}

test('a process that is too busy to hear that it has the lease is not taken for dead by those who read so', {
  skip: without('nats-server', natsBinary('newest')),
}, async (t) => {
  const fixture = await startJetStream({ line: 'newest' })
  t.after(() => fixture.close())
  const peersOf = async (hearsLateMs = 0) => {
    const { bus, client } = await fixture.open()
    const lock = jetstreamLock({ leases: bus.leases, client, name: 'default/busy' })
    const write: typeof lock.write = async (...all) => {
      const written = await lock.write(...all)
      await pause(hearsLateMs)
      return written
    }
    const peers = noRespondersPeers({ client, lock: { ...lock, write }, name: 'default/busy', clock: systemClock })
    t.after(() => peers.close())
    return peers
  }
  const [busy, other] = [await peersOf(1_000), await peersOf()]
  const suspected: string[] = []
  t.after(other.onSuspect((holder) => suspected.push(holder)))
  // Connections that are new prove nothing.
  await pause(1_200)
  assert.equal((await busy.lock.write(record('busy-0'), null))?.record.holder, 'busy-0')
  assert.deepEqual(suspected, [])
})

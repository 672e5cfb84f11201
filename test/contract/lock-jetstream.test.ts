import { suite } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { jetstreamLock } from '../../src/ha/locks/jetstream-kv.ts'
import { noRespondersPeers } from '../../src/ha/peers/no-responders.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { startJetStream } from './jetstream.fixture.ts'
import { lockContract } from './lock.ts'

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

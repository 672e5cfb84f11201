import { suite } from 'node:test'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { busContract } from './bus.ts'
import { startJetStream, withOwnIds } from './jetstream.fixture.ts'

for (const [name, line, nodes] of [
  ['one server', 'newest', 1],
  ['three servers, three replicas', 'newest', 3],
  ['2.9: lease-only', 'debian', 1],
] as const) {
  suite(name, { skip: without('nats-server', natsBinary(line)) }, () => {
    const traits = { claimNeedsLease: false, dedup: true, strict: line === 'newest' }
    busContract(`jetstream, ${name}`, traits, async () => {
      const fixture = await startJetStream({ line, nodes })
      return {
        connect: async () => withOwnIds((await fixture.open()).bus),
        hold: async () => {},
        freeze() {
          for (const server of fixture.servers) server.freeze()
        },
        thaw() {
          for (const server of fixture.servers) server.thaw()
        },
        close: () => fixture.close(),
      }
    })
  })
}

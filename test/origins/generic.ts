/** A gRPC server that goes on after the last stored event, for tests of delivery. */

import { startGeneric } from '../servers/generic.ts'
import { type DeliveryAdapter, direct } from './broker.ts'
import type { ContractAdapter } from './suites.ts'
import { saysFine } from './suites.ts'

export const genericAdapter = (): DeliveryAdapter => ({
  type: 'generic',
  guarantee: 'exactly-once',
  skip: false,
  async start(_, __, via = direct) {
    const server = await startGeneric()
    const port = await via(Number(server.target.split(':')[1]))
    return {
      spec: `url: 127.0.0.1:${port}\nconfig: numbers\ninsecure: true\nuniqueNames: true\njsonBody: true`,
      send: async (texts) => server.send(texts),
      restart: () => server.restart(),
      close: () => server.close(),
    }
  },
})

export const delivery = () => [genericAdapter()]

export const contract = (): ContractAdapter[] => [
  {
    skip: false,
    async setUp(t) {
      const server = await startGeneric()
      t.after(() => server.close())
      let n = 0
      return {
        spec: { url: server.target, config: 'c', insecure: true, uniqueNames: true },
        ready: saysFine,
        provoke: async () => server.send([`message ${n++}`]),
      }
    },
  },
]

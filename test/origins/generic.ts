/** A gRPC server that goes on after the last stored event, for tests of delivery. */
import { startGeneric } from '../servers/generic.ts'
import { type DeliveryAdapter, direct } from './broker.ts'

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

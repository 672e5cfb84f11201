/** A gRPC server that goes on after the last stored event: see delivery.ts. */
import { startGeneric } from '../servers/generic.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract({
  type: 'generic',
  guarantee: 'exactly-once',
  skip: false,
  async start() {
    const server = await startGeneric()
    return {
      spec: `url: ${server.target}\nconfig: numbers\ninsecure: true\nuniqueNames: true\njsonBody: true`,
      send: async (texts) => server.send(texts),
      restart: () => server.restart(),
      close: () => server.close(),
    }
  },
})

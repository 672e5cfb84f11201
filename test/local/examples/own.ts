/** A gRPC server of one's own. */
import { startGeneric } from '../../servers/generic.ts'
import { origin } from './example.ts'

const generic = origin({
  files: ['generic', 'upstream/generic'],
  skip: false,
  async start() {
    const [server, other] = await Promise.all([startGeneric(), startGeneric({ forgetful: true })])
    const text = (n: number) => JSON.stringify({ n })
    return {
      examples: {
        generic: {
          put: { 'generic.orders.url': server.target },
          entries: { orders: { send: async (n) => server.send([text(n)]), data: (n) => ({ body: { n } }) } },
        },
        'upstream/generic': {
          put: { 'generic.example.url': other.target },
          entries: {
            example: {
              send: async (n) => other.send([text(n)]),
              data: (n) => ({ body: Buffer.from(text(n)).toString('base64') }),
            },
          },
        },
      },
      close: () => Promise.all([server.close(), other.close()]),
    }
  },
})

export const own = [generic]

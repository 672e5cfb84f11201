/** NSQ for tests of delivery. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { waitFor } from '../faults/rig.ts'
import { without } from '../servers/cache.ts'
import { nsqdBinary, startNsq } from '../servers/nsq.ts'
import { type DeliveryAdapter, direct } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { saysFine } from './suites.ts'

export const nsqAdapter = (): DeliveryAdapter => ({
  type: 'nsq',
  guarantee: 'exactly-once',
  skip: without('NSQ', nsqdBinary()),
  async start(_, __, via = direct) {
    const nsq = await startNsq({ via })
    const post = async (path: string, body = '') => {
      const answer = await fetch(`${nsq.http}/${path}`, { method: 'POST', body })
      if (!answer.ok) throw new Error(`nsqd answers ${answer.status}`)
    }
    await post('topic/create?topic=numbers')
    await post('channel/create?topic=numbers&channel=vedette')
    return {
      spec: `hostAddress: ${nsq.lookupd}\ntopic: numbers\nchannel: vedette\njsonBody: true`,
      send: (texts) => post('mpub?topic=numbers', texts.join('\n')),
      restart: () => nsq.restart(),
      server: () => nsq.server,
      close: () => nsq.close(),
    }
  },
})

export const delivery = () => [nsqAdapter()]

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startNsq)
  return [
    {
      skip: without('NSQ', nsqdBinary()),
      contested: true,
      async setUp(_, name) {
        const { http, lookupd, port } = await server()
        const post = (path: string, body = '') => fetch(`${http}/${path}`, { method: 'POST', body })
        await post(`topic/create?topic=${name}`)
        await post(`channel/create?topic=${name}&channel=c`)
        let n = 0
        const provoke = () => post(`pub?topic=${name}`, `message ${n++}`)
        return {
          spec: { hostAddress: lookupd, topic: name, channel: 'c' },
          ready: saysFine,
          provoke,
          async takenByAnother() {
            const other = connect({ host: '127.0.0.1', port })
            await once(other, 'connect')
            // What it took comes again after that, not when its connection is gone.
            const wishes = JSON.stringify({ msg_timeout: 1_000 })
            const size = Buffer.alloc(4)
            size.writeUInt32BE(wishes.length)
            other.write(Buffer.concat([Buffer.from('  V2IDENTIFY\n'), size, Buffer.from(wishes)]))
            other.write(`SUB ${name} c\nRDY 1\n`)
            const sent = `message ${n}`
            let seen = ''
            other.on('data', (chunk) => {
              seen += chunk
            })
            await provoke()
            await waitFor(async () => seen.includes(sent))
            return async () => void other.destroy()
          },
        }
      },
    },
  ]
}

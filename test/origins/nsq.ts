/** NSQ for tests of delivery. */
import { without } from '../servers/cache.ts'
import { nsqdBinary, startNsq } from '../servers/nsq.ts'
import { type DeliveryAdapter, direct } from './broker.ts'

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

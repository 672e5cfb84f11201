/**
 * What the product is measured against: a webhook server of the same shape with the stock client's `js.publish`.
 *
 *   node bench/jetstream/rival.ts awaited|pipelined NATS_URL SUBJECT
 *
 * `awaited` is upstream's design (one goroutine per route takes a request, publishes, waits for the ack, takes the next);
 * `pipelined` differs in one line only: it does not wait for the one before. Writes its port as one line.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'

const [mode, servers = '', subject = ''] = process.argv.slice(2)
const nc = await connect({ servers })
const js = jetstream(nc)

/** The CloudEvent as it stands on upstream's bus. */
function cloudEvent(id: string, { headers }: IncomingMessage, body: unknown): string {
  const data = JSON.stringify({ header: headers, body })
  return JSON.stringify({
    specversion: '1.0',
    id,
    source: 'orders',
    type: 'webhook',
    subject: 'order',
    datacontenttype: 'application/json',
    time: new Date().toISOString(),
    data_base64: Buffer.from(data).toString('base64'),
  })
}

async function publish(incoming: IncomingMessage, body: unknown): Promise<void> {
  const id = randomBytes(16).toString('hex')
  await js.publish(subject, cloudEvent(id, incoming, body), { msgID: id })
}

let turn: Promise<unknown> = Promise.resolve()

const server = createServer((incoming, response) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', async () => {
    try {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as unknown
      if (mode === 'pipelined') await publish(incoming, body)
      else {
        const mine = turn.then(() => publish(incoming, body))
        turn = mine.catch(() => {})
        await mine
      }
      response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 7 }).end('success')
    } catch {
      response.writeHead(500, { 'Content-Length': 0 }).end()
    }
  })
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))

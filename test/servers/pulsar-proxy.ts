/**
 * A double of Pulsar's proxy, whose jar no registry has: it answers lookups with what its broker says and "through me", and speaks for
 * the broker that a connection names. As with the real one no other broker can be reached by a connection that names none.
 */
import { connect, createServer, type Socket } from 'node:net'
import { type Codec, type Command, loadCodec } from '../../src/sources/pulsar/commands.ts'
import { frameReader } from '../../src/sources/pulsar/entry.ts'

export interface PulsarProxy {
  /** `pulsar://127.0.0.1:<port>` */
  readonly url: string
  /** Brokers that connections named, `host:port`, in their order. */
  readonly named: string[]
  close(): void
}

const LOOKUPS: Command['name'][] = ['lookup', 'partitions', 'ping', 'pong']

/** @param brokerUrl the broker that is asked */
export async function startPulsarProxy(brokerUrl: string): Promise<PulsarProxy> {
  const codec = await loadCodec()
  const named: string[] = []
  const sockets = new Set<Socket>()
  const serve = (client: Socket): void => {
    let broker: Socket | null = null
    let lookups = true
    const end = () => {
      client.destroy()
      broker?.destroy()
    }
    const begin = ({ name, body }: Command) => {
      if (name !== 'connect') return end()
      const { proxyTo, ...greeting } = body
      lookups = proxyTo === undefined || proxyTo === ''
      if (!lookups) named.push(proxyTo!)
      const { hostname: host, port } = new URL(lookups ? brokerUrl.replace(/^pulsar/, 'http') : `http://${proxyTo}`)
      broker = connect({ host, port: Number(port) })
      sockets.add(broker)
      broker.on('error', end).on('close', end)
      broker.write(framed(codec.encode('connect', greeting)))
      if (lookups) broker.on('data', answering(codec, client))
      else broker.pipe(client)
    }
    const feed = frameReader(codec, ({ command }) => {
      if (broker === null) begin(command)
      else if (!LOOKUPS.includes(command.name)) end()
      else broker.write(framed(codec.encode(command.name, command.body)))
    })
    client.on('data', (chunk: Buffer) => {
      if (lookups) feed(chunk)
      else broker!.write(chunk)
    })
    sockets.add(client)
    client.on('error', end).on('close', end)
  }
  const server = createServer(serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `pulsar://127.0.0.1:${port}`,
    named,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Passes answers of the broker on; those to lookups say that the proxy speaks for the broker. */
const answering = (codec: Codec, client: Socket) =>
  frameReader(codec, ({ command }) => {
    const { name, body } = command
    client.write(framed(codec.encode(name, name === 'lookupAnswer' ? { ...body, proxied: true } : body)))
  })

function framed(command: Uint8Array): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(command.length + 4, 0)
  head.writeUInt32BE(command.length, 4)
  return Buffer.concat([head, command])
}

/**
 * A broker that behaves as emitter.io does on the wire (seen on a real one, which no package registry has): MQTT 3.1.1 over TCP; a topic is
 * `<key>/<channel>/`; subscribers of a channel get what is published to it and below it, with topics without the key; a wrong key gets a
 * SUBACK with failure, and a message on `emitter/error/`.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { generate, type Packet, parser } from 'mqtt-packet'
import { freePorts } from '../process.ts'

export interface FakeEmitter {
  readonly url: string
  /** What clients asked to subscribe to, keys included, in order. */
  readonly asked: string[]
  /** Subscriptions that stand. */
  subscriptions(): number
  restart(): Promise<void>
  close(): Promise<void>
}

export interface FakeEmitterOptions {
  /** Channels by the key that is for them and for those below. */
  keys: Record<string, string>
  /** Refuses other logins with return code 5. */
  login?: { username: string; password: string }
}

/** Before a channel: its messages go to one of the group at a time. */
const SHARE = /^\$share\/[^/]*\//

interface Client {
  socket: Socket
  channels: string[]
}

export async function startFakeEmitter({ keys, login }: FakeEmitterOptions): Promise<FakeEmitter> {
  const [port] = (await freePorts(1)) as [number]
  const asked: string[] = []
  const clients = new Set<Client>()
  let turn = 0

  /** @returns the channel of a topic, or null when its key is not for it */
  const channelOf = (topic: string): string | null => {
    const [key = '', ...levels] = topic.split('/')
    const channel = levels.join('/')
    const permitted = keys[key]
    const shared = channel.replace(SHARE, '')
    return permitted !== undefined && shared.startsWith(`${permitted}/`) ? channel : null
  }
  const send = ({ socket }: Client, packet: Packet) => socket.writable && socket.write(generate(packet))
  const tell = (client: Client, topic: string, payload: string | Buffer) =>
    send(client, { cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false })
  const refuse = (client: Client) =>
    tell(client, 'emitter/error/', '{"status":401,"message":"the security key provided is not authorized"}')

  const take = (client: Client, packet: Packet) => {
    switch (packet.cmd) {
      case 'connect': {
        const right =
          login === undefined || (packet.username === login.username && packet.password?.toString() === login.password)
        send(client, { cmd: 'connack', returnCode: right ? 0 : 5, sessionPresent: false })
        if (!right) client.socket.end()
        break
      }
      case 'subscribe': {
        const granted = packet.subscriptions.map(({ topic }) => {
          asked.push(topic)
          const channel = channelOf(topic)
          if (channel === null) refuse(client)
          else client.channels.push(channel)
          return channel === null ? 128 : 0
        })
        send(client, { cmd: 'suback', messageId: packet.messageId!, granted })
        break
      }
      case 'publish': {
        const channel = channelOf(packet.topic)
        if (channel === null) refuse(client)
        else {
          const groups = new Map<string, Client[]>()
          for (const other of clients) {
            for (const one of other.channels.filter((name) => covers(name.replace(SHARE, ''), channel))) {
              const [group] = SHARE.exec(one) ?? []
              if (group === undefined) tell(other, channel, packet.payload)
              else groups.set(group, [...(groups.get(group) ?? []), other])
            }
          }
          for (const members of groups.values()) tell(members[turn++ % members.length]!, channel, packet.payload)
        }
        if (packet.qos === 1) send(client, { cmd: 'puback', messageId: packet.messageId! })
        break
      }
      case 'pingreq':
        send(client, { cmd: 'pingresp' })
        break
      case 'disconnect':
        client.socket.end()
    }
  }

  let server: Server
  const listen = async () => {
    server = createServer((socket) => {
      const client: Client = { socket, channels: [] }
      clients.add(client)
      const packets = parser({ protocolVersion: 4 })
      packets.on('packet', (packet) => take(client, packet))
      packets.on('error', () => socket.destroy())
      socket.on('data', (chunk: Buffer) => packets.parse(chunk))
      socket.on('error', () => {})
      socket.on('close', () => clients.delete(client))
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  }
  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const { socket } of clients) socket.destroy()
    await closed
  }
  await listen()
  return {
    url: `tcp://127.0.0.1:${port}`,
    asked,
    subscriptions: () => [...clients].reduce((sum, { channels }) => sum + channels.length, 0),
    async restart() {
      await stop()
      await listen()
    },
    close: stop,
  }
}

/** A channel and those below it; `+` is any one level. */
function covers(subscribed: string, channel: string): boolean {
  const levels = channel.split('/')
  return subscribed
    .replace(/\/$/, '')
    .split('/')
    .every((level, i) => level === '+' || level === levels[i])
}

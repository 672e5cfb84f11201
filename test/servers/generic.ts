/** A gRPC server of the generic contract: it keeps its events, and goes on after the one that the client names. */
import { Metadata, Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js'
import { eventingService, type StartRequest, type StreamedEvent } from '../../src/sources/generic/contract.ts'

type Call = ServerWritableStream<StartRequest, StreamedEvent>

export interface GenericServer {
  /** `host:port` */
  readonly target: string
  /** What was asked, in order; with the name that it is to go on after. */
  readonly requests: { name: string; config: string; lastName: string | null; authorization: string | null }[]
  /** How many streams are open. */
  streams(): number
  /** Keeps events and streams them to whoever is there. Named by their number, unless a name is given. */
  send(payloads: (string | Buffer)[], name?: string): void
  /** Ends all streams in the regular way. */
  endStreams(): void
  /** Ends all connections, and begins again on the same port with the same events. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface GenericServerOptions {
  /** Answers UNAUTHENTICATED to all other tokens. */
  token?: string
  tls?: { cert: string; key: string }
  /** Streams only what is sent while the client is there, as a server that keeps nothing. */
  forgetful?: boolean
}

export async function startGeneric({
  token,
  tls,
  forgetful = false,
}: GenericServerOptions = {}): Promise<GenericServer> {
  const service = await eventingService()
  const events: StreamedEvent[] = []
  const open = new Map<Call, { next: number; blocked: boolean }>()
  const requests: GenericServer['requests'] = []

  const pump = (call: Call) => {
    const place = open.get(call)!
    while (!place.blocked && place.next < events.length) place.blocked = !call.write(events[place.next++]!)
  }
  const start = (call: Call) => {
    const given = (key: string) => call.metadata.get(key)[0]?.toString() ?? null
    const lastName = given('last-event-name')
    const authorization = given('authorization')
    requests.push({
      name: call.request.name,
      config: Buffer.from(call.request.config).toString(),
      lastName,
      authorization,
    })
    if (token !== undefined && authorization !== `Bearer ${token}`) {
      call.emit('error', { code: status.UNAUTHENTICATED, details: 'wrong token' })
      return
    }
    call.sendMetadata(new Metadata())
    const last = lastName === null ? -1 : events.findIndex(({ name }) => name === decodeURIComponent(lastName))
    const place = { next: forgetful ? events.length : last + 1, blocked: false }
    open.set(call, place)
    call.on('drain', () => {
      place.blocked = false
      pump(call)
    })
    for (const ending of ['cancelled', 'close', 'error']) call.on(ending, () => open.delete(call))
    pump(call)
  }

  let server: Server
  let port = 0
  const listen = async () => {
    server = new Server()
    server.addService(service, { StartEventSource: start })
    const credentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }])
    port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)))
    })
  }
  const stop = () => {
    open.clear()
    server.forceShutdown()
  }
  await listen()
  return {
    target: `127.0.0.1:${port}`,
    requests,
    streams: () => open.size,
    send(payloads, name) {
      for (const payload of payloads) events.push({ name: name ?? `n${events.length}`, payload: Buffer.from(payload) })
      for (const call of open.keys()) pump(call)
    },
    endStreams() {
      for (const call of [...open.keys()]) call.end()
    },
    async restart() {
      stop()
      await listen()
    },
    async close() {
      stop()
    },
  }
}

/**
 * A sender that costs little, so that on a machine with few cores the server is what is measured: one request in flight per
 * connection, all bytes of a request made once, answers read only as far as needed.
 */
import { connect, type Socket } from 'node:net'

export interface Fired {
  /** Requests answered 200. */
  acknowledged: number
  /** Requests answered otherwise. */
  others: number
  /** Acknowledged per second. */
  rate: number
  /** Of the acknowledged ones, milliseconds. */
  latencies: number[]
}

/** A small JSON document, 212 bytes. */
export const body = JSON.stringify({ id: 4711, item: 'tea', notes: 'x'.repeat(177) })

/** Sends `body` by POST again and again, as JSON, until `seconds` have passed, then waits for the answers still owed. @throws when a connection breaks */
export async function fire(
  url: string,
  { body, connections, seconds }: { body: string; connections: number; seconds: number },
): Promise<Fired> {
  const { hostname, port, pathname, host } = new URL(url)
  const request = Buffer.from(
    `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  const sockets = await Promise.all(Array.from({ length: connections }, () => dial(Number(port), hostname)))
  const latencies: number[] = []
  let others = 0
  const startedMs = performance.now()
  const endMs = startedMs + seconds * 1000
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          let sentMs = 0
          let text = ''
          const send = () => {
            sentMs = performance.now()
            if (sentMs >= endMs) return void resolve()
            socket.write(request)
          }
          socket.on('data', (chunk) => {
            text += chunk.toString('latin1')
            if (!isWhole(text)) return
            if (text.startsWith('HTTP/1.1 200')) latencies.push(performance.now() - sentMs)
            else others++
            text = ''
            send()
          })
          socket.on('error', reject)
          socket.on('close', () => reject(new Error('the server closed a connection')))
          send()
        }),
    ),
  )
  const rate = (latencies.length * 1000) / (performance.now() - startedMs)
  for (const socket of sockets) socket.removeAllListeners('close').destroy()
  return { acknowledged: latencies.length, others, rate, latencies }
}

function dial(port: number, host: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer)
  return length !== null && answer.length >= end + 4 + Number(length[1])
}

/** For tests of deliveries: a receiver that answers as it is told, a log that remembers, and deliveries that end with their test. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Bus } from '../../bus/bus.ts'
import { type Clock, systemClock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { createRedactor } from '../../core/redact.ts'
import { type Delivery, type DeliveryOptions, startDelivery } from '../deliver.ts'

interface Test {
  after(fn: () => unknown): void
}

export interface Received {
  headers: IncomingMessage['headers']
  body: string
  /** Answered 2xx. */
  taken: boolean
}

/** Answers: a status, or does it itself. */
export type Answers = (received: Received, response: ServerResponse, request: IncomingMessage) => number | undefined

export interface TestReceiver {
  got: Received[]
  /** How it answers from now on. */
  answers: Answers
  sockets(): number
  readonly url: string
  readonly port: number
}

export async function receiver(t: Test, answers: Answers = () => 204): Promise<TestReceiver> {
  let sockets = 0
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => {})
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const received = { headers: request.headers, body: Buffer.concat(chunks).toString(), taken: false }
    const status = made.answers(received, response, request)
    received.taken = status !== undefined && status >= 200 && status < 300
    made.got.push(received)
    if (status === undefined) return
    response.statusCode = status
    response.end(status === 204 ? undefined : 'as told')
  })
  server.on('connection', () => sockets++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as { port: number }
  const made: TestReceiver = { got: [], answers, sockets: () => sockets, url: `http://127.0.0.1:${port}/in`, port }
  return made
}

export interface Lines {
  log: Logger
  /** `level message`, and the fields. */
  lines: [string, Record<string, unknown>][]
  has(text: string): number
}

export function recorder(): Lines {
  const lines: Lines['lines'] = []
  const at =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      void lines.push([`${level} ${message}`, fields])
  const log: Logger = { debug() {}, info: at('info'), warn: at('warn'), error: at('error'), child: () => log }
  return { log, lines, has: (text) => lines.filter(([line]) => line.includes(text)).length }
}

export async function deliveryTo(
  t: Test,
  bus: Bus,
  url: string,
  options: Partial<DeliveryOptions> = {},
): Promise<Delivery> {
  const { log } = recorder()
  const delivery = await startDelivery({
    bus,
    url,
    mode: 'structured',
    clock: systemClock,
    log,
    redactor: createRedactor(),
    ...options,
  })
  // what hangs by a clock that does not move any more is left
  t.after(() => void delivery.stop())
  return delivery
}

/** Every pause takes a twentieth. */
export const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) }

export async function until(condition: () => boolean, what = 'the condition'): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (condition()) return
    await systemClock.sleep(10)
  }
  throw new Error(`not within 20 s: ${what}`)
}

export const idsOf = (got: Received[]): string[] => got.map(({ body }) => JSON.parse(body).id as string)

/** The ids of what was taken, each at its first time. */
export const takenIds = (got: Received[]): string[] => [...new Set(idsOf(got.filter(({ taken }) => taken)))]

export const ids = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `s-e-${from + i}`)

/**
 * Connections to brokers, one to each. The library waits long for an answer that was lost, and forgets some who wait: here who asks is told soon,
 * the connection that owes the answer ends, and whoever asks next gets another one.
 */
import type { Connection } from '@platformatic/kafka'
import type { Clock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import { within } from '../core/signals.ts'
import { watchSilence } from '../core/silence.ts'
import { brokerCode } from './kafka-errors.ts'

/**
 * Nothing has come over a connection for so long while an answer is due: it is given up. A broker that takes that for each answer could
 * not end a transaction within its time-out.
 */
export const ANSWER_MS = 4_000
/** Beyond what the library allows a connection: then it has forgotten it. */
const CONNECT_MORE_MS = 1_000
const CLOSE_MS = 1_000

export interface BrokerAddress {
  host: string
  port: number
}

export interface Asking {
  /** The broker may keep the answer back for so long. */
  maxWaitMs?: number
  /** Nothing is sent any more once it has aborted. */
  signal?: AbortSignal | undefined
}

export interface Connections {
  /**
   * @param question one request, whose answer it resolves to
   * @throws OUTCOME_UNKNOWN when no answer came; what the library throws
   */
  ask<T>(broker: BrokerAddress, question: (connection: Connection) => Promise<T>, asking?: Asking): Promise<T>
  /** Never rejects, and does not wait for a broker. */
  close(): Promise<void>
}

interface Line {
  connection: Connection
  /** Questions that wait for their answers, in the order in which they were asked. */
  owed: Set<Owed>
}

interface Owed {
  /** Something came. */
  heard(): void
  giveUp(why: string): void
}

/** @param make a connection that is not yet open. @param limits `connectMs`: what the library allows it to take; `answerMs`: see {@link ANSWER_MS} */
export function connectionsOf(
  make: (broker: BrokerAddress) => Connection,
  { connectMs, answerMs }: { connectMs: number; answerMs: number },
  clock: Pick<Clock, 'after' | 'soon'>,
): Connections {
  const lines = new Map<string, Promise<Line>>()
  const all = new Set<Connection>()
  let closed = false
  const limitMs = connectMs + CONNECT_MORE_MS

  const open = async (connection: Connection, { host, port }: BrokerAddress): Promise<Line> => {
    try {
      await within(Promise.resolve(connection.connect(host, port)), limitMs, clock)
    } catch (error) {
      connection.socket?.destroy()
      throw error
    }
    const owed = new Set<Owed>()
    connection.socket.on('data', () => {
      for (const { heard } of owed) heard()
    })
    return { connection, owed }
  }
  const lineTo = (broker: BrokerAddress): Promise<Line> => {
    if (closed) throw new Error('the client is closed')
    const key = `${broker.host}:${broker.port}`
    const there = lines.get(key)
    if (there !== undefined) return there
    const connection = make(broker)
    all.add(connection)
    const line = open(connection, broker)
    lines.set(key, line)
    const forget = () => {
      all.delete(connection)
      if (lines.get(key) === line) lines.delete(key)
    }
    // An error without a listener would end the process; who asked is told of it.
    connection.on('error', forget).on('close', forget)
    line.catch(forget)
    return line
  }

  return {
    async ask(broker, question, { maxWaitMs = 0, signal } = {}) {
      const line = await lineTo(broker)
      const { connection, owed } = line
      // It is logging in once more (KIP-368).
      if (connection.status === 'reauthenticating') await within(connection.ready(), limitMs, clock)
      if (!connection.isConnected()) throw new Error(`the connection to ${broker.host}:${broker.port} has ended`)
      signal?.throwIfAborted()
      return await new Promise((resolve, reject) => {
        const patienceMs = answerMs + maxWaitMs
        const silence = watchSilence(clock, patienceMs, () => mine.giveUp(`no answer within ${patienceMs} ms`))
        const mine: Owed = {
          heard: silence.broken,
          giveUp(why) {
            settle()
            reject(fail('OUTCOME_UNKNOWN', `broker ${broker.host}:${broker.port}: ${why}`))
            connection.socket.destroy()
          },
        }
        const settle = () => {
          silence.end()
          owed.delete(mine)
        }
        const answered = () => {
          const before = [...owed].slice(0, [...owed].indexOf(mine))
          settle()
          // Answers come in the order of the requests: those that are still due then will not come any more.
          clock.soon(() => {
            for (const one of before) if (owed.has(one)) one.giveUp('its answer was left out')
          })
        }
        owed.add(mine)
        question(connection).then(
          (answer) => {
            answered()
            resolve(answer)
          },
          (error: unknown) => {
            if (brokerCode(error) === null) settle()
            else answered()
            reject(error)
          },
        )
      })
    },
    async close() {
      closed = true
      lines.clear()
      await Promise.all(
        [...all].map(async (connection) => {
          await within(connection.close(), CLOSE_MS, clock).catch(() => {})
          connection.socket?.destroy()
        }),
      )
    },
  }
}

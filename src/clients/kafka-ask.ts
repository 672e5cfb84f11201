/**
 * Asks a cluster what any of its brokers can tell. One that is frozen, or has only just begun to start, takes connections and answers
 * nothing for a long time: so no broker is relied on, and who is silent does not hold up the others.
 */
import type { Admin } from '@platformatic/kafka'
import type { Clock } from '../core/clock.ts'
import { within } from '../core/signals.ts'
import { brokerCode, isRefusedLogin, isUnknownTopic } from './kafka-errors.ts'

/** A broker that has not answered by then is not waited for alone. */
const PATIENCE_MS = 1_000
/** Longer than what the library does for one question may take: after that it has forgotten it, and with it all who ask the same. */
const FORGOTTEN_MS = 45_000

export interface Turns {
  /**
   * Asks one candidate, first the one that answered last; when it fails or is silent for a second, the next as well. The first answer counts,
   * also when it is a refusal. @throws the refusal, or the last failure when nobody has answered
   */
  ask<C extends string | number, T>(candidates: Iterable<C>, question: (candidate: C) => Promise<T>): Promise<T>
  /** Whether a candidate is the one that answered last. */
  answeredLast(candidate: string | number): boolean
}

/** REQUEST_TIMED_OUT, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE: what this broker cannot say now, another may. */
const PASSING = new Set([7, 14, 15])

/** A broker has spoken: others would say the same. */
function isRefusal(error: unknown): boolean {
  const code = brokerCode(error)
  return (code !== null && !PASSING.has(code)) || isUnknownTopic(error) || isRefusedLogin(error)
}

export function takeTurns(clock: Pick<Clock, 'after'>): Turns {
  let last: string | number | null = null
  return {
    answeredLast: (candidate) => candidate === last,
    ask<C extends string | number, T>(candidates: Iterable<C>, question: (candidate: C) => Promise<T>): Promise<T> {
      const order = [...new Set(candidates)].sort((a, b) => Number(b === last) - Number(a === last))
      const { promise, resolve, reject } = Promise.withResolvers<T>()
      let [open, done, cancel] = [0, false, () => {}]
      /** Told when nobody answers: what a broker has said, rather than that another is not there. */
      let failure: { error: unknown; said: boolean } = { error: new Error('no broker is known'), said: false }
      const end = (settle: () => void, by?: C) => {
        if (done) return
        done = true
        last = by ?? last
        cancel()
        settle()
      }
      const giveUp = () => end(() => reject(failure.error))
      const goOn = () => {
        cancel()
        const candidate = order.shift()
        if (candidate === undefined) {
          // Nobody is left to ask. When one has spoken, who is silent has one more while.
          if (open === 0) giveUp()
          else if (failure.said) cancel = clock.after(PATIENCE_MS, giveUp)
          return
        }
        open++
        cancel = clock.after(PATIENCE_MS, goOn)
        question(candidate).then(
          (answer) => end(() => resolve(answer), candidate),
          (error: unknown) => {
            open--
            const said = brokerCode(error) !== null
            if (said || !failure.said) failure = { error, said }
            if (isRefusal(error)) end(() => reject(error), candidate)
            else if (!done) goOn()
          },
        )
      }
      goOn()
      return promise
    },
  }
}

export interface Admins {
  /** Asks the brokers in {@link Turns}. A question may be asked twice, and must bear that. */
  ask<T>(question: (admin: Admin) => Promise<T>): Promise<T>
  /** Of the broker that answered last: for what must not be asked twice. */
  readonly admin: Admin
  /** Brokers of the cluster, `host:port`, to ask beside those that were given. */
  learn(addresses: Iterable<string>): void
  close(): Promise<void>
}

/** One client of the library for each broker, since within one all who ask the same wait for the same answer. */
export function adminsOf(make: (address: string) => Admin, given: string[], clock: Pick<Clock, 'after'>): Admins {
  const admins = new Map<string, Admin>()
  const turns = takeTurns(clock)
  let learnt: string[] = []
  let closed = false
  const addresses = () => [...new Set([...given, ...learnt])]
  const adminOf = (address: string): Admin => {
    if (closed) throw new Error('the client is closed')
    const admin = admins.get(address) ?? make(address)
    admins.set(address, admin)
    return admin
  }
  const drop = (address: string, admin: Admin) => {
    if (admins.get(address) === admin) admins.delete(address)
    admin.close().catch(() => {})
  }
  return {
    ask: (question) =>
      turns.ask(addresses(), async (address) => {
        const admin = adminOf(address)
        let settled = false
        const asked = question(admin).finally(() => {
          settled = true
        })
        try {
          return await within(asked, FORGOTTEN_MS, clock)
        } finally {
          if (!settled) drop(address, admin)
        }
      }),
    get admin() {
      return adminOf(addresses().find(turns.answeredLast) ?? addresses()[0]!)
    },
    learn(found) {
      learnt = [...found]
    },
    async close() {
      closed = true
      await Promise.allSettled([...admins.values()].map((admin) => admin.close()))
    },
  }
}

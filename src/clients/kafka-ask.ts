/**
 * Asks a cluster what any of its brokers can tell. One that is frozen, or has only just begun to start, takes connections and answers
 * nothing for a long time: so no broker is relied on, and who is silent does not hold up the others.
 */
import type { Admin } from '@platformatic/kafka'
import type { Clock } from '../core/clock.ts'
import { fail, isVedetteError } from '../core/errors.ts'
import { within } from '../core/signals.ts'
import { ANSWER_MS } from './kafka-connections.ts'
import { brokerCode, isRefusedLogin, isUnknownTopic } from './kafka-errors.ts'

/** A broker that has not answered by then is not waited for alone. */
const PATIENCE_MS = 1_000
/** So often one broker is asked on ever new connections. Each is waited for alone for {@link ANSWER_MS}. */
const TRIES = 3
/** What must not be asked twice at a time takes several requests. */
const ONCE_MS = 10_000
const CLOSE_MS = 1_000

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
  /** Asks the brokers in {@link Turns}. A question may be asked twice, and must bear that. @throws OUTCOME_UNKNOWN when all are silent */
  ask<T>(question: (admin: Admin) => Promise<T>): Promise<T>
  /** Asks the broker that answered last, for what must not be asked twice. @throws OUTCOME_UNKNOWN when it is silent; it may come to it late */
  askOnce<T>(question: (admin: Admin) => Promise<T>): Promise<T>
  /** Of the broker that answered last. */
  readonly admin: Admin
  /** Brokers of the cluster, `host:port`, to ask beside those that were given. */
  learn(addresses: Iterable<string>): void
  close(): Promise<void>
}

interface Used {
  admin: Admin
  /** Questions that wait for its answer. */
  questions: number
  /** Asked nothing any more. */
  retired: boolean
}

/**
 * One client of the library for each broker, since within one all who ask the same wait for the same answer. One that is silent is asked nothing
 * more, and what it owes is asked of a new one as well: the library may have forgotten it.
 */
export function adminsOf(
  make: (address: string) => Admin,
  given: string[],
  clock: Pick<Clock, 'after'>,
  answerMs: number = ANSWER_MS,
): Admins {
  const admins = new Map<string, Used>()
  const all = new Set<Used>()
  const turns = takeTurns(clock)
  let learnt: string[] = []
  let closed = false
  const addresses = () => [...new Set([...given, ...learnt])]
  const usedFor = (address: string): Used => {
    if (closed) throw new Error('the client is closed')
    let used = admins.get(address)
    if (used === undefined) {
      used = { admin: make(address), questions: 0, retired: false }
      admins.set(address, used)
      all.add(used)
    }
    return used
  }
  const end = async (used: Used): Promise<void> => {
    all.delete(used)
    await within(used.admin.close(), CLOSE_MS, clock).catch(() => {})
  }
  const retire = (address: string, used: Used) => {
    used.retired = true
    if (admins.get(address) === used) admins.delete(address)
  }
  /** @returns to be called when the answer is there or not waited for any more */
  const begin = (used: Used) => {
    used.questions++
    return () => {
      if (--used.questions === 0 && used.retired) void end(used)
    }
  }
  const askAt = <T>(address: string, question: (admin: Admin) => Promise<T>): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const ends: (() => void)[] = []
    let open = 0
    const attempt = (left: number) => {
      const used = usedFor(address)
      const silent = () => {
        retire(address, used)
        if (left > 0 && !closed) attempt(left - 1)
        else reject(fail('OUTCOME_UNKNOWN', `${address}: no answer within ${TRIES * answerMs} ms`))
      }
      ends.push(clock.after(answerMs, silent), begin(used))
      open++
      question(used.admin).then(resolve, (error: unknown) => {
        if (--open === 0 || isRefusal(error)) reject(error)
      })
    }
    attempt(TRIES - 1)
    return promise.finally(() => {
      for (const each of ends) each()
    })
  }
  const lastAddress = () => addresses().find(turns.answeredLast) ?? addresses()[0]!
  return {
    ask: (question) => turns.ask(addresses(), async (address) => await askAt(address, question)),
    async askOnce(question) {
      const address = lastAddress()
      const used = usedFor(address)
      const done = begin(used)
      const asked = question(used.admin)
      try {
        return await within(asked, ONCE_MS, clock)
      } catch (error) {
        // The next to ask would wait for the same answer.
        if (isVedetteError(error, 'OUTCOME_UNKNOWN')) retire(address, used)
        throw error
      } finally {
        done()
      }
    },
    get admin() {
      return usedFor(lastAddress()).admin
    },
    learn(found) {
      learnt = [...found]
    },
    async close() {
      closed = true
      await Promise.all([...all].map(end))
    },
  }
}

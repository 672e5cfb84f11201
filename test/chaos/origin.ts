/** Something that an entry reads from, with somebody who works in it: what must then be on the log. */

import type { Line } from '../faults/rig.ts'
import type { Broker, DeliveryAdapter } from '../origins/broker.ts'
import { bodyNumber } from '../origins/broker.ts'
import type { TcpProxy } from '../servers/proxy.ts'
import { type Circumstances, judgeNumbers } from './judge-numbers.ts'
import { type Numbers, sendNumbers } from './numbers.ts'
import { TRAITS, type Traits } from './traits.ts'

/** What the log says of an origin. */
export interface OriginJudged {
  /** Messages, or names, that had to be there. */
  promised: number
  /** Copies that its class allows. */
  copies: number
  violations: string[]
}

export interface Origin {
  readonly name: string
  readonly traits: Traits
  readonly type: string
  /** The entry's fields, YAML. */
  readonly spec: string
  readonly documents: readonly string[]
  readonly env: Record<string, string>
  readonly broker: Broker | null
  /** By which the run reaches it. */
  readonly proxy: TcpProxy | null
  /** Begins to work in it, so that it is seen to be served. */
  begin(): void
  /** It is: what is done from now on is judged. */
  served(): void
  /** @returns whether a line tells of something that was done after this call */
  fresh(): (line: Line) => boolean
  stop(): Promise<void>
  /** What was done in it so far, in words. */
  told(): string
  /** @param lines of its entry, the whole log */
  judge(lines: readonly Line[], circumstances: Omit<Circumstances, 'unacknowledged'>): OriginJudged
  close(): Promise<void>
}

export interface Numbered {
  name: string
  adapter: DeliveryAdapter
  broker: Broker
  proxy: TcpProxy | null
  close(): Promise<void>
}

const few = (numbers: number[]) => `${numbers.slice(0, 12).join(', ')}${numbers.length > 12 ? ', …' : ''}`

export function numberedOrigin({ name, adapter, broker, proxy, close }: Numbered): Origin {
  const { numberOf = bodyNumber, type, unacknowledged = 0 } = adapter
  const traits = TRAITS[name]!
  let numbers: Numbers | null = null
  return {
    ...{ name, traits, type, broker, proxy, close },
    spec: broker.spec,
    documents: broker.documents ?? [],
    env: broker.env ?? {},
    begin() {
      numbers = sendNumbers(broker)
    },
    served() {},
    fresh() {
      // What is under way was begun before.
      const after = (numbers?.sent.length ?? 0) + 10
      return (line) => numberOf(line) >= after
    },
    async stop() {
      await numbers?.stop()
    },
    told() {
      const { sent } = numbers!
      return `${sent.length} sent, ${sent.filter(({ sure }) => sure).length} taken by the broker`
    },
    judge(lines, circumstances) {
      const { sent } = numbers!
      const found = lines.map((line) => numberOf(line))
      const judged = judgeNumbers(found, sent, traits, { ...circumstances, unacknowledged })
      const violations = [
        judged.lost.length > 0 && `${judged.lost.length} of ${judged.promised} messages lost: ${few(judged.lost)}`,
        judged.doubled.length > 0 && `${judged.doubled.length} messages doubled: ${few(judged.doubled)}`,
        judged.strange.length > 0 && `${judged.strange.length} numbers that nobody sent: ${few(judged.strange)}`,
      ]
      return {
        promised: judged.promised,
        copies: judged.allowed,
        violations: violations.filter((text) => text !== false).map((text) => `${name}: ${text}`),
      }
    },
  }
}

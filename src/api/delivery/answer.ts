/** What an answer of the receiver means, and how it may be shown. Only 2xx takes an event; everything else is a reason to try again. Pure. */
import { STATUS_CODES } from 'node:http'
import { retryAfterMs } from '../../core/backoff.ts'
import { shownUrl, type Target } from './target.ts'

export interface Refusal {
  taken: false
  /** For counting: the status (`401`), or what kept an answer from coming (`timeout`, `ECONNREFUSED`, …). */
  reason: string
  /** For people, with the receiver's own words. Safe to show. */
  why: string
  /** Not before this many milliseconds. */
  waitMs: number
}

export type Answer = { taken: true } | Refusal

/** The head of an answer, and the first bytes of its body. */
export interface Heard {
  status: number
  /** Seconds or a date. */
  retryAfter?: string | undefined
  location?: string | undefined
  body: string
}

const LONGEST_RETRY_AFTER_MS = 300_000
const MOST_WORDS = 200

export function judge(
  { status, retryAfter, location, body }: Heard,
  target: Pick<Target, 'url' | 'secrets'>,
  nowMs: number,
): Answer {
  if (status >= 200 && status < 300) return { taken: true }
  const name = STATUS_CODES[status]
  const words = shownWords(body, target.secrets)
  return {
    taken: false,
    reason: String(status),
    why:
      `the receiver answered ${status}${name === undefined ? '' : ` ${name}`}` +
      (status < 400 && location !== undefined ? redirected(location, target) : '') +
      (words === '' ? '' : `: ${words}`),
    waitMs: Math.min(retryAfterMs(retryAfter, nowMs), LONGEST_RETRY_AFTER_MS),
  }
}

/** An event is handed to nobody whom the user has not named. */
function redirected(location: string, { url, secrets }: Pick<Target, 'url' | 'secrets'>): string {
  const to = URL.parse(location, url)
  const where = to === null || !/^https?:$/.test(to.protocol) ? 'elsewhere' : shownWords(shownUrl(to), secrets)
  return ` to ${where} (redirects are not followed: give --deliver the address that takes events)`
}

/** One line of what the receiver says: no secret of ours, nothing that a terminal would obey, and not much of it. */
export function shownWords(text: string, secrets: readonly string[]): string {
  const known = [...secrets]
    .sort((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text.toWellFormed())
  const visible = known
    .replace(/\b(basic|bearer)\s+[\w~+/.=-]+/gi, '$1 ***')
    .trim()
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped)
  return visible.length <= MOST_WORDS ? visible : `${visible.slice(0, MOST_WORDS - 1).replace(/\\\w*$/, '')}…`
}

function escaped(character: string): string {
  const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character]
  return short ?? `\\u{${character.codePointAt(0)!.toString(16)}}`
}

/** No answer came: what the connection said. */
export function unanswered(error: Error & { code?: string }): Refusal {
  const code = error.code ?? 'error'
  const text = error.message === '' ? code : error.message
  return { taken: false, reason: code, why: `no answer: ${shownWords(text, [])}`, waitMs: 0 }
}

export function tooLate(seconds: number): Refusal {
  return { taken: false, reason: 'timeout', why: `no answer within ${seconds} s`, waitMs: 0 }
}

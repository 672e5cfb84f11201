/**
 * Secrets that senders prove to know, and those that we send. A Secret's value may hold several, one per line: all are accepted, the first is the
 * one that is sent, or given to a provider, so that rotation loses nothing. What is one thing of several lines (a key, a certificate, a
 * service account's JSON) is read whole, by `ctx.secret`.
 */
import type { Clock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import type { SecretKeySelector } from '../source.ts'

/** The secrets that are accepted now, the current one first; never empty. @throws SECRET_MISSING when there is none to be read */
export type AcceptedSecrets = () => Promise<readonly string[]>

/** A value that was read is used for so long, so that a flood of requests does not become a flood of reads. */
const FRESH_MS = 1_000
/** What a provider has sent by the old secret when it is told the new one is here by then. */
export const AFTER_SETTLED_MS = 30_000

/** Lines of a Secret's value that are secrets. */
export function secretsIn(value: string): string[] {
  return value
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '')
}

/**
 * Reads a Secret on use. What is no longer in it is refused, but for the one that the provider had been given, while we tell it the new one: that
 * is accepted for `graceMs` since it was last read, and no longer than {@link AFTER_SETTLED_MS} once the provider has the new one. Two lines, of
 * which the old one is taken away later, need no grace and get none.
 * @param settledMs since when, monotonic, the provider is known to have what was read then; null: it is not known
 */
export function acceptedSecrets(
  selector: SecretKeySelector,
  { secret, clock }: { secret: (selector: SecretKeySelector) => Promise<string>; clock: Clock },
  graceMs = 0,
  settledMs: () => number | null = () => null,
): AcceptedSecrets {
  let latest: { value: Promise<readonly string[]>; atMs: number } | null = null
  let current: { found: string[]; atMs: number } = { found: [], atMs: 0 }
  /** When it was missed, and until when it is accepted. */
  const replaced = new Map<string, { missedMs: number; endMs: number }>()

  const isOver = ({ missedMs, endMs }: { missedMs: number; endMs: number }, now: number): boolean => {
    const settled = settledMs()
    return endMs <= now || (settled !== null && settled >= missedMs && settled + AFTER_SETTLED_MS <= now)
  }

  const read = async (): Promise<readonly string[]> => {
    const found = secretsIn(await secret(selector))
    if (found.length === 0) {
      const { name, key } = selector
      throw fail('SECRET_MISSING', `Secret ${name} has nothing under ${key}: anybody could prove to know it`, {
        name,
        key,
      })
    }
    const now = clock.monotonic()
    const [given] = current.found
    if (given !== undefined && !found.includes(given) && !replaced.has(given))
      replaced.set(given, { missedMs: now, endMs: current.atMs + graceMs })
    for (const [before, grace] of replaced) if (found.includes(before) || isOver(grace, now)) replaced.delete(before)
    current = { found, atMs: now }
    return [...found, ...replaced.keys()]
  }

  return () => {
    const now = clock.monotonic()
    if (latest === null || now - latest.atMs >= FRESH_MS) latest = { value: read(), atMs: now }
    return latest.value
  }
}

/** A credential of one line that we send: the first of those that are there. @throws SECRET_MISSING */
export async function sentSecret(
  ctx: { secret: (selector: SecretKeySelector) => Promise<string> },
  selector: SecretKeySelector,
): Promise<string> {
  return secretsIn(await ctx.secret(selector))[0] ?? ''
}

/** The secret that a provider is given: the first line. Undefined without a selector. @throws SECRET_MISSING */
export async function providerSecret(
  ctx: { secret: (selector: SecretKeySelector) => Promise<string> },
  selector: SecretKeySelector | undefined,
): Promise<string | undefined> {
  return selector === undefined ? undefined : secretsIn(await ctx.secret(selector))[0]
}

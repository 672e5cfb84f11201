/**
 * Secrets that senders prove to know. A Secret's value may hold several, one per line: all are accepted, the first is the one that is
 * given to a provider, so that rotation loses nothing.
 */
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import type { SecretKeySelector } from '../../source.ts'

/** The secrets that are accepted now, the current one first; never empty. @throws SECRET_MISSING when there is none to be read */
export type AcceptedSecrets = () => Promise<readonly string[]>

/** A value that was read is used for so long, so that a flood of requests does not become a flood of reads. */
const FRESH_MS = 1_000

/** Lines of a Secret's value that are secrets. */
export function secretsIn(value: string): string[] {
  return value
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line !== '')
}

/**
 * Reads a Secret on use.
 * @param graceMs how long a secret that is no longer in it is accepted, for senders that are told the new one only after us
 */
export function acceptedSecrets(
  selector: SecretKeySelector,
  { secret, clock }: { secret: (selector: SecretKeySelector) => Promise<string>; clock: Clock },
  graceMs = 0,
): AcceptedSecrets {
  let latest: { value: Promise<readonly string[]>; atMs: number } | null = null
  let current: string[] = []
  /** Until when a replaced secret is accepted. */
  const replaced = new Map<string, number>()

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
    for (const before of current) replaced.set(before, now + graceMs)
    for (const [before, endMs] of replaced) if (endMs <= now || found.includes(before)) replaced.delete(before)
    current = found
    return [...found, ...replaced.keys()]
  }

  return () => {
    const now = clock.monotonic()
    if (latest === null || now - latest.atMs >= FRESH_MS) latest = { value: read(), atMs: now }
    return latest.value
  }
}

/** The secret that a provider is given: the first line. Undefined without a selector. @throws SECRET_MISSING */
export async function providerSecret(
  ctx: { secret: (selector: SecretKeySelector) => Promise<string> },
  selector: SecretKeySelector | undefined,
): Promise<string | undefined> {
  return selector === undefined ? undefined : secretsIn(await ctx.secret(selector))[0]
}

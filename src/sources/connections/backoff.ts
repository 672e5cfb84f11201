/** `connectionBackoff`: the pauses between attempts to connect (upstream's Backoff). Here they go on for ever. */
import { z } from 'zod'
import type { BackoffOptions } from '../../core/backoff.ts'
import { parseDurationMs } from '../../core/duration.ts'
import { messageOf } from '../../core/errors.ts'
import type { Finding } from '../../source.ts'

export const connectionBackoffSchema = z
  .object({
    duration: z
      .union([z.string(), z.int()])
      .optional()
      .describe('The first pause: a Go duration such as `500ms`, or nanoseconds. Default: `1s`.'),
    factor: z
      .union([z.number(), z.string()])
      .optional()
      .describe('Each pause is this many times the one before it, up to 30 s. Default: 1.'),
    jitter: z
      .union([z.number(), z.string()])
      .optional()
      .describe('Up to this share of a pause is added to it, by chance. Default: 1.'),
    steps: z.int32().optional().describe('Accepted for compatibility; attempts go on for ever.'),
  })
  .describe('The pauses between attempts to connect. Without it: from 100 ms, doubled each time, up to 30 s.')
export type ConnectionBackoff = z.output<typeof connectionBackoffSchema>

const LONGEST_MS = 30_000
const SHORTEST_MS = 10

/** What Argo Events finds out only when it connects. */
export function validateConnectionBackoff(backoff: ConnectionBackoff | undefined): Finding[] {
  try {
    backoffOptions(backoff)
    return []
  } catch (error) {
    return [
      {
        severity: 'warning',
        fatal: true,
        path: ['connectionBackoff'],
        message: `invalid backoff configuration, ${messageOf(error)}`,
        remedy: 'write a duration such as 1s, and factor and jitter as numbers without quotes',
      },
    ]
  }
}

/** @throws SPEC_INVALID for a duration, RangeError for a number that is none */
export function backoffOptions(backoff: ConnectionBackoff | undefined): BackoffOptions {
  if (backoff === undefined) return {}
  const { duration = '1s' } = backoff
  const ms = typeof duration === 'number' ? duration / 1e6 : parseDurationMs(duration)
  const factor = numberOf('factor', backoff.factor ?? 1)
  const jitter = numberOf('jitter', backoff.jitter ?? 1)
  const firstMs = Math.max(SHORTEST_MS, ms) * (1 + jitter)
  // Ours is a share of the longest pause, upstream's of the shortest.
  return { firstMs, factor: Math.max(1, factor), maxMs: Math.max(LONGEST_MS, firstMs), jitter: jitter / (1 + jitter) }
}

function numberOf(name: string, value: number | string): number {
  if (typeof value === 'string' || !Number.isFinite(value) || value < 0)
    throw new RangeError(`invalid ${name}, ${JSON.stringify(value)} is no number of at least 0`)
  return value
}

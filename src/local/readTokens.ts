/** The tokens that allow reading, from a file: one a line, so that one can be replaced while both are in use. */
import { readFileSync, statSync } from 'node:fs'
import type { Clock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'

const LOOK_MS = 1000
const LEAST_LENGTH = 16

/**
 * @returns the tokens as they are now: a changed file is read anew within a second; one that cannot be read any more, or holds what is no
 * token, allows nothing until it does
 * @throws USAGE it cannot be read now, or holds no token
 */
export function readTokens(file: string, { clock, log }: { clock: Clock; log: Logger }): () => readonly string[] {
  let tokens = tokensIn(file)
  let [lookedMs, seen] = [clock.monotonic(), stampOf(file)]
  return () => {
    if (clock.monotonic() - lookedMs < LOOK_MS) return tokens
    lookedMs = clock.monotonic()
    const now = stampOf(file)
    if (now === seen) return tokens
    seen = now
    try {
      tokens = tokensIn(file)
    } catch (error) {
      tokens = []
      log.error('nobody may read but with the token of the run, until this is put right', { error: messageOf(error) })
    }
    return tokens
  }
}

/** Changes with the file; Kubernetes replaces a mounted one by another. */
function stampOf(file: string): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(file)
    return [mtimeMs, ctimeMs, size, ino].join()
  } catch {
    return 'gone'
  }
}

function tokensIn(file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? messageOf(error)
    throw fail('USAGE', `--read-token-file ${file} cannot be read (${why}): name a file that holds a token, one a line`)
  }
  const tokens = text.split('\n').flatMap((line) => line.trim() || [])
  if (tokens.length === 0) {
    throw fail(
      'USAGE',
      `--read-token-file ${file} is empty: write a token into it, for example by openssl rand -hex 32`,
    )
  }
  if (tokens.some((token) => token.length < LEAST_LENGTH || /\s/.test(token))) {
    throw fail(
      'USAGE',
      `--read-token-file ${file} holds what is no token: each line is one of at least ${LEAST_LENGTH} characters without spaces, for example by openssl rand -hex 32`,
    )
  }
  return tokens
}

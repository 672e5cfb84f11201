/** What the file system refuses in a data directory, as errors with a remedy. */
import { resolve } from 'node:path'
import { fail } from '../core/errors.ts'

const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT'])
const REFUSED: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS'])

/** The same error, or the one that says what to do. */
export function ofDisk(error: unknown, data: string): unknown {
  const dir = resolve(data)
  const { code, path } = error as { code?: unknown; path?: unknown }
  if (FULL.has(code)) {
    return fail('BUS_FULL', `the disk of ${dir} is full (${code}): free space, then start again`, {}, { cause: error })
  }
  if (REFUSED.has(code) && typeof path === 'string' && path.startsWith(dir)) {
    const remedy = 'give this user the directory, or choose another with --data'
    return fail('USAGE', `${path} cannot be written (${code}): ${remedy}`, {}, { cause: error })
  }
  return error
}

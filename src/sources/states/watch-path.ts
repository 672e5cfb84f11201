/** Which entries of which directory are meant: `watchPathConfig` of `file`, fields of their own in `hdfs`. */
import { posix } from 'node:path'
import { RE2JS } from 're2js'
import { z } from 'zod'
import { messageOf } from '../../core/errors.ts'
import type { Finding } from '../../source.ts'

export const watchPathSchema = z
  .object({
    directory: z
      .string()
      .default('')
      .describe(
        'The directory to watch, an absolute path. Its sub-directories are entries like files; their content is not seen.',
      ),
    path: z
      .string()
      .optional()
      .describe('The one entry that is meant, by its name within the directory. Either this or `pathRegexp`.'),
    pathRegexp: z
      .string()
      .optional()
      .describe(
        'The entries that are meant: an RE2 expression that is searched for in the name within the directory; `^` and `$` anchor it.',
      ),
  })
  .describe('What to watch.')

export type WatchPath = z.infer<typeof watchPathSchema>

/**
 * Upstream's rules, order and words; then what can never match. Paths are relative to the config itself.
 * @param recursive entries of sub-directories are meant, too
 */
export function validateWatchPath(
  { directory, path = '', pathRegexp = '' }: WatchPath,
  { recursive = false }: { recursive?: boolean } = {},
): Finding[] {
  const findings: Finding[] = []
  const error = (field: keyof WatchPath | undefined, message: string, remedy: string) =>
    findings.push({ severity: 'error', path: field === undefined ? [] : [field], message, remedy })
  if (directory === '') error('directory', 'directory is required', 'write the absolute path of the directory to watch')
  else if (!posix.isAbsolute(directory)) {
    error(
      'directory',
      'directory must be an absolute file path',
      `write it with a leading "/", not ${JSON.stringify(directory)}`,
    )
  }
  if (path === '' && pathRegexp === '') {
    error(
      undefined,
      'either path or pathRegexp must be specified',
      'name one entry with path, or use pathRegexp: ".*" for all',
    )
  }
  if (path !== '' && pathRegexp !== '') {
    error(undefined, 'path and pathRegexp cannot be specified together', 'keep the one that you mean')
  }
  if (posix.isAbsolute(path)) {
    error(
      'path',
      'path must be a relative file path',
      `write it relative to the directory, e.g. ${JSON.stringify(posix.basename(path))}`,
    )
  } else if (recursive ? path !== '' && cleanDirectory(`/${path}`) !== `/${path}` : /^\.{1,2}$|\//.test(path)) {
    const why = recursive ? 'it is no plain path within the directory' : "only the directory's own entries are watched"
    findings.push({
      severity: 'warning',
      path: ['path'],
      message: `path ${JSON.stringify(path)} never matches: ${why}`,
      remedy: recursive
        ? 'write it without "..", "//" or "/" at its end'
        : 'write the name of an entry, and its folder as directory',
      fatal: true,
    })
  }
  if (pathRegexp !== '') {
    try {
      RE2JS.compile(pathRegexp)
    } catch (cause) {
      error(
        'pathRegexp',
        messageOf(cause),
        'write an expression in RE2 syntax: https://github.com/google/re2/wiki/Syntax',
      )
    }
  }
  return findings
}

/** The directory without trailing slash and `..`. */
export function cleanDirectory(directory: string): string {
  const clean = posix.normalize(directory)
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean
}

/**
 * Whether an entry of the directory is meant, by its name.
 * @throws SyntaxError of re2js when `pathRegexp` does not compile
 */
export function matcherOf({ directory, path = '', pathRegexp = '' }: WatchPath): (name: string) => boolean {
  if (path !== '') return (name) => name === path
  const expression = RE2JS.compile(pathRegexp)
  const found = (text: string) => expression.matcher(text).find()
  // upstream searches "/name" when the directory is written without its slash; who wrote `^/` relies on it
  return directory.endsWith('/') ? found : (name) => found(name) || found(`/${name}`)
}

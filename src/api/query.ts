/** What a request for events asks for, out of its query. A wrong value is refused by name, and never taken for another. */
import { fail, messageOf } from '../core/errors.ts'
import { parseCount, parseFrom, type Scan } from './scan.ts'

/**
 * The query (`source`, `namespace`, `entry`, `from=start|now|SEQ`, `limit`, `follow=true|false`) and `Last-Event-ID`, which wins over `from`.
 * @throws USAGE naming the parameter, its value and what to write
 */
export function scanOf({ searchParams }: URL, lastEventId: string | undefined): Omit<Scan, 'signal'> {
  const query = <T>(name: string, parse: (text: string) => T): T | undefined => {
    const [text, ...more] = searchParams.getAll(name)
    if (text === undefined) return undefined
    if (more.length > 0) throw fail('USAGE', `${name} is there ${more.length + 1} times: write it once`)
    return named(name, parse, text)
  }
  const from = query('from', parseFrom)
  return {
    source: query('source', parseName),
    namespace: query('namespace', parseName),
    entry: query('entry', parseName),
    from: lastEventId ? named('Last-Event-ID', parseCount, lastEventId) + 1 : from,
    limit: query('limit', parseCount),
    follow: query('follow', parseFlag) ?? true,
  }
}

/** What a value's parser says, with the name of what it is a value of. @throws USAGE */
export function named<T>(name: string, parse: (text: string) => T, text: string): T {
  try {
    return parse(text)
  } catch (error) {
    throw fail('USAGE', `${name}: ${messageOf(error)}`)
  }
}

/** Kubernetes' names are far shorter. */
const MAX_NAME = 1024

function parseName(text: string): string {
  if (text !== '' && text.length <= MAX_NAME) return text
  throw fail(
    'USAGE',
    `${JSON.stringify(text.slice(0, 40))} is no name: write one of 1 to ${MAX_NAME} characters, or leave it out`,
  )
}

function parseFlag(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw fail('USAGE', `${JSON.stringify(text.slice(0, 40))} is neither true nor false: write one of them`)
}

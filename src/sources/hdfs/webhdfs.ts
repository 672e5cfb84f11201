/**
 * HDFS over HTTP: WebHDFS of the name nodes, or HttpFS
 * (https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html). Only listing.
 */
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import type { Closable, PrepareContext } from '../../source.ts'
import { textOf } from '../shared/body-text.ts'
import { networkError } from '../shared/network-error.ts'
import { tlsMaterial } from '../shared/tls.ts'
import type { EntryState } from './diff.ts'
import type { HdfsSpec } from './spec.ts'

export interface Listed {
  name: string
  state: EntryState
  /** A directory that has something in it, or may have. */
  inside: boolean
}

export interface WebHdfs extends Closable {
  /**
   * What is in a directory; null when it is not there.
   * @throws ORIGIN_UNAVAILABLE when no name node serves, or the user may not
   */
  list(path: string, signal: AbortSignal): Promise<Listed[] | null>
}

/** Where a name node of Hadoop 3 serves WebHDFS. */
const HTTP_PORT = 9870
const ANSWER_MS = 30_000
/** A page of a listing has 1,000 entries unless the name node is told otherwise; bytes. */
const LARGEST_ANSWER = 64 * 1024 * 1024

/** Base URLs, without a slash at the end. @throws SPEC_INVALID for what is none */
export function httpAddresses({ addresses, webhdfsAddresses }: HdfsSpec): string[] {
  const urls =
    webhdfsAddresses.length > 0
      ? webhdfsAddresses
      : addresses.map((address) => `http://${address.trim().replace(/:\d+$/, '')}:${HTTP_PORT}`)
  return urls.map((text, i) => {
    const url = URL.canParse(text) ? new URL(text) : null
    const plain = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.search === ''
    if (plain && /^\/?$/.test(url.pathname)) return url.origin
    const given = webhdfsAddresses.length > 0 ? text : addresses[i]
    throw fail('SPEC_INVALID', `${JSON.stringify(given)} is no address`)
  })
}

/** @throws SECRET_MISSING, SPEC_INVALID */
export async function openWebHdfs(ctx: PrepareContext<HdfsSpec>): Promise<WebHdfs> {
  const { spec } = ctx
  const nodes = httpAddresses(spec)
  const tls = await tlsMaterial(ctx, spec.tls)
  const { Agent, request } = await import('undici')
  const dispatcher = new Agent({
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
    connect: { timeout: 10_000, ...tls },
  })
  /** Of `nodes`: the one that answered last. */
  let active = 0
  /** Listing page by page came with Hadoop 3 (HDFS-10823). */
  let paged = true

  const ask = async (node: string, path: string, query: Record<string, string>, signal: AbortSignal) => {
    const encoded = path.split('/').map(encodeURIComponent).join('/')
    const url = `${node}/webhdfs/v1${encoded}?${new URLSearchParams({ ...query, 'user.name': spec.hdfsUser })}`
    try {
      const answer = await request(url, { dispatcher, signal })
      const text = await textOf(answer.body, LARGEST_ANSWER)
      if (answer.statusCode === 200) return JSON.parse(text)
      throw refusal(answer.statusCode, text, { node, path, user: spec.hdfsUser })
    } catch (error) {
      signal.throwIfAborted()
      throw isVedetteError(error) ? error : networkError(error, new URL(node).host)
    }
  }
  /** Asks the active name node; when it does not serve, the others in turn. */
  const askAny = async (path: string, query: Record<string, string>, signal: AbortSignal): Promise<any> => {
    const errors: unknown[] = []
    for (let i = 0; i < nodes.length; i++) {
      const at = (active + i) % nodes.length
      try {
        const answer = await ask(nodes[at]!, path, query, signal)
        active = at
        return answer
      } catch (error) {
        signal.throwIfAborted()
        if (isVedetteError(error) && DEFINITE.has(String(error.details.exception))) {
          active = at
          throw error
        }
        errors.push(error)
      }
    }
    // That one stands by is no news beside what is wrong with the other.
    throw errors.find((error) => (error as VedetteError).details.exception !== STANDBY) ?? errors[0]
  }
  // Both spellings: name nodes of Hadoop 3.5 know only the small one (StartAfterParam), HttpFS the other.
  const page = async (path: string, startAfter: string, signal: AbortSignal): Promise<Page> => {
    if (paged) {
      try {
        const { DirectoryListing } = await askAny(
          path,
          { op: 'LISTSTATUS_BATCH', startAfter, startafter: startAfter },
          signal,
        )
        const { partialListing, remainingEntries } = DirectoryListing
        return { found: partialListing.FileStatuses.FileStatus, more: remainingEntries > 0 }
      } catch (error) {
        if (!isVedetteError(error) || error.details.exception !== 'IllegalArgumentException') throw error
        paged = false
      }
    }
    const { FileStatuses } = await askAny(path, { op: 'LISTSTATUS' }, signal)
    return { found: FileStatuses.FileStatus, more: false }
  }
  return {
    close: () => dispatcher.destroy(),
    async list(path, signal) {
      const entries: Listed[] = []
      for (let startAfter = ''; ; startAfter = entries.at(-1)!.name) {
        try {
          const { found, more } = await page(path, startAfter, signal)
          if (startAfter !== '' && found[0]?.pathSuffix === entries[0]?.name)
            throw fail('ORIGIN_UNAVAILABLE', `${nodes[active]} gives the first page of ${path} again and again`)
          for (const status of found) entries.push(entryOf(status))
          // A file is listed as itself.
          if (entries[0]?.name === '') throw fail('ORIGIN_UNAVAILABLE', `${path} is not a directory`)
          if (!more || found.length === 0) return entries
        } catch (error) {
          signal.throwIfAborted()
          if (isVedetteError(error) && error.details.exception === 'FileNotFoundException') return null
          if (isVedetteError(error)) throw error
          throw fail('ORIGIN_UNAVAILABLE', `${nodes[active]} gave no listing: ${messageOf(error)}`)
        }
      }
    },
  }
}

interface Page {
  found: Status[]
  more: boolean
}

/** FileStatus of WebHDFS. HttpFS leaves `fileId` and `childrenNum` out. */
interface Status {
  pathSuffix: string
  fileId?: number
  childrenNum?: number
  length: number
  modificationTime: number
  permission: string
  type: string
}

function entryOf(status: Status): Listed {
  const { pathSuffix, fileId = 0, childrenNum, length, modificationTime, permission, type } = status
  const isDirectory = type === 'DIRECTORY'
  return {
    name: String(pathSuffix),
    state: [Number(fileId), Number(length), Number(modificationTime), `${isDirectory ? 'd' : ''}${permission}`],
    inside: isDirectory && childrenNum !== 0,
  }
}

const STANDBY = 'StandbyException'
/** Another name node would say the same. */
const DEFINITE: ReadonlySet<string> = new Set([
  'FileNotFoundException',
  'AccessControlException',
  'IllegalArgumentException',
  'SecurityException',
])

/** An answer that is not 200: `{"RemoteException":{"exception","javaClassName","message"}}`, or a page of a server before it. */
function refusal(
  status: number,
  text: string,
  { node, path, user }: { node: string; path: string; user: string },
): VedetteError {
  const { host } = new URL(node)
  const { exception = '', message = '' } = remoteException(text)
  const say = (words: string) => fail('ORIGIN_UNAVAILABLE', words, { exception, status })
  if (exception === STANDBY) return say(`${host} is a standby, and no other name node serves`)
  if (exception === 'AccessControlException') return say(`user ${user} may not list ${path}`)
  if (status === 401) return say(`${host} asks for Kerberos, which is not in this version`)
  const first = String(message).split('\n', 1)[0]!.slice(0, 300)
  return say(`${host} answered ${status}${exception === '' ? '' : ` ${exception}`}${first === '' ? '' : `: ${first}`}`)
}

function remoteException(text: string): { exception?: string; message?: string } {
  try {
    const { exception, message } = JSON.parse(text).RemoteException
    return { exception: String(exception), message: String(message) }
  } catch {
    return {}
  }
}

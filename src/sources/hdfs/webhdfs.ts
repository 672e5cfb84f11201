/** What is in a directory of HDFS, asked for page by page. */
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import type { Closable, EntryContext } from '../../source.ts'
import type { EntryState } from './diff.ts'
import { openNameNodes } from './name-nodes.ts'
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

/** @throws SECRET_MISSING, SPEC_INVALID */
export async function openWebHdfs(ctx: EntryContext<HdfsSpec>): Promise<WebHdfs> {
  const { ask, close } = await openNameNodes(ctx)
  /** Listing page by page came with Hadoop 3 (HDFS-10823). */
  let paged = true

  const page = async (path: string, startAfter: string, signal: AbortSignal): Promise<Page> => {
    if (paged) {
      try {
        // Both spellings: name nodes of Hadoop 3.5 know only the small one (StartAfterParam), HttpFS the other. HttpFS still gives all at
        // once (HDFS-14663).
        const query = { op: 'LISTSTATUS_BATCH', startAfter, startafter: startAfter }
        const { DirectoryListing } = await ask(path, query, signal)
        const { partialListing, remainingEntries } = DirectoryListing
        return { found: partialListing.FileStatuses.FileStatus, more: remainingEntries > 0 }
      } catch (error) {
        if (!isVedetteError(error) || !String(error.details.message).includes('LISTSTATUS_BATCH')) throw error
        paged = false
      }
    }
    const { FileStatuses } = await ask(path, { op: 'LISTSTATUS' }, signal)
    return { found: FileStatuses.FileStatus, more: false }
  }
  return {
    close,
    async list(path, signal) {
      const entries: Listed[] = []
      for (let startAfter = ''; ; startAfter = entries.at(-1)!.name) {
        try {
          const { found, more } = await page(path, startAfter, signal)
          if (startAfter !== '' && found[0]?.pathSuffix === entries[0]?.name)
            throw fail('ORIGIN_UNAVAILABLE', `the first page of ${path} comes again and again`)
          for (const status of found) entries.push(entryOf(status))
          // A file is listed as itself.
          if (entries[0]?.name === '') throw fail('ORIGIN_UNAVAILABLE', `${path} is not a directory`)
          if (!more || found.length === 0) return entries
        } catch (error) {
          signal.throwIfAborted()
          if (isVedetteError(error) && error.details.exception === 'FileNotFoundException') return null
          if (isVedetteError(error)) throw error
          throw fail('ORIGIN_UNAVAILABLE', `the answer for ${path} is no listing: ${messageOf(error)}`)
        }
      }
    },
  }
}

interface Page {
  found: Status[]
  more: boolean
}

/** FileStatus of WebHDFS. HttpFS before Hadoop 3.3 leaves `fileId` and `childrenNum` out (HDFS-14665). */
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

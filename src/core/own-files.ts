/**
 * Files that nobody else may have made or may change: a directory of one's own, and in it files that are read and written without
 * following a link that somebody has put there.
 */
import { randomBytes } from 'node:crypto'
import { constants, lstatSync, openSync, rmSync } from 'node:fs'
import { chmod, lstat, mkdir, open, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, parse, resolve } from 'node:path'
import { fail } from './errors.ts'

/** Flags: the file is made anew or emptied, and a link in its place is an error. */
export const OWN_WRITE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW
const OWN_READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const MOST_BYTES = 4 << 20
const ROOT = 0

/** Undefined where the platform has no users. */
const me = (): number | undefined => process.geteuid?.()

/** True for what belongs to this user. Root's own is nobody else's, and what belongs to others is not root's: they go on changing it. */
const isMine = (uid: number): boolean => me() === undefined || uid === me()

/**
 * Makes a directory (0700) if it is not there, and makes sure that nobody else can change what is in it.
 * @param what it is, for messages
 * @returns its real path
 * @throws USAGE when it belongs to somebody else, others may write in it and have perhaps done so, a link on the way to it or something in
 * it belongs to somebody else, or a link is in it
 */
export async function ownDirectory(path: string, what: string): Promise<string> {
  const wanted = resolve(path)
  for (const link of await linksOnTheWay(wanted)) {
    if (isMine(link.uid) || link.uid === ROOT) continue
    throw fail('USAGE', `${what} ${wanted}: ${link.path} is a symbolic link of another user (uid ${link.uid})`)
  }
  await mkdir(wanted, { recursive: true, mode: 0o700 })
  const dir = await realpath(wanted)
  const { uid, mode } = await lstat(dir)
  if (!isMine(uid)) {
    throw fail(
      'USAGE',
      `${what} ${dir} belongs to another user (uid ${uid}, this is ${me()}), who can change what is in it: give it to this user, or name a directory in it, which is then made (${join(dir, 'vedette')})`,
    )
  }
  const names = await readdir(dir)
  if ((mode & 0o022) !== 0 && names.length > 0) {
    const shown = (mode & 0o7777).toString(8).padStart(4, '0')
    throw fail(
      'USAGE',
      `${what} ${dir} can be written by others (mode ${shown}) and is not empty: look at what is in it, then chmod go-w ${dir}`,
    )
  }
  await chmod(dir, 0o700).catch(() => {})
  for (const name of names) await refuseForeign(join(dir, name), what)
  return dir
}

async function refuseForeign(file: string, what: string): Promise<void> {
  const found = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (found === null) return
  if (found.isSymbolicLink()) throw fail('USAGE', `${file} in ${what} is a symbolic link: remove it`)
  // `lost+found` of a disk of its own is root's.
  if (isMine(found.uid) || (found.isDirectory() && found.uid === ROOT)) return
  throw fail('USAGE', `${file} in ${what} belongs to another user (uid ${found.uid}): remove it`)
}

async function linksOnTheWay(path: string): Promise<{ path: string; uid: number }[]> {
  const links: { path: string; uid: number }[] = []
  for (let at = path; at !== parse(at).root; at = dirname(at)) {
    const found = await lstat(at).catch(() => null)
    if (found?.isSymbolicLink()) links.push({ path: at, uid: found.uid })
  }
  return links
}

/**
 * The text of a file, which must be a plain one of this user; root may read that of others. Links are not followed.
 * @throws of the file system; USAGE for what belongs to another user or is too large
 */
export async function readOwnFile(file: string): Promise<string> {
  const handle = await open(file, OWN_READ)
  try {
    const found = await handle.stat()
    if (!found.isFile() || found.size > MOST_BYTES) throw fail('USAGE', `${file} is not a file of ours: remove it`)
    if (!isMine(found.uid) && me() !== ROOT) throw fail('USAGE', `${file} belongs to another user (uid ${found.uid})`)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** Replaces a file (0600) in one step, by way of one beside it whose name nobody can know before. @throws of the file system */
export async function replaceOwnFile(file: string, text: string): Promise<void> {
  const fresh = `${file}.${randomBytes(8).toString('hex')}.new`
  try {
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx' })
    await rename(fresh, file)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

/** What {@link replaceOwnFile} leaves beside a file when its process is killed. */
export const isLeftover = (name: string, file: string): boolean =>
  name.startsWith(`${file}.`) && /^[0-9a-f]{16}\.new$/.test(name.slice(file.length + 1))

/** Opens a new file for writing (0600), in place of what has its name; a link there is removed, not followed. */
export function openFresh(file: string): number {
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) rmSync(file, { force: true })
  return openSync(file, 'wx', 0o600)
}

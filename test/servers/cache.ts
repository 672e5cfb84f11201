/** Where the real servers live: a cache outside the repository, so that a clean checkout finds them again. */
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** `$VEDETTE_SERVERS`, else `$XDG_CACHE_HOME/vedette/servers`, else `~/.cache/vedette/servers`. */
export function serversDir(): string {
  const { VEDETTE_SERVERS, XDG_CACHE_HOME } = process.env
  const dir = VEDETTE_SERVERS ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vedette', 'servers')
  mkdirSync(dir, { recursive: true })
  return dir
}

/** The path of an installed server's file, or null. */
export function installed(...path: string[]): string | null {
  const file = join(serversDir(), ...path)
  return existsSync(file) ? file : null
}

/** For `test(name, { skip: without(...) })`: the reason to skip, or false. */
export function without(server: string, file: string | null): string | false {
  return file === null ? `${server} is not installed: npm run servers` : false
}

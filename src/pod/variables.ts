/**
 * The environment of a Pod's process, closed: what nothing here reads goes out, so that no library can begin to read it; and what the author of the
 * EventSource may set, and the controller has held back until the process runs, comes in. Before anything else is loaded.
 */
import { AUTHORITIES, HELD_BACK, isRead, variableRefused } from '../manifest/podVariables.ts'

export interface Closed {
  /** Names that the author has set, and may not. */
  refused: string[]
  /** Files and directories with certificates of authorities, as he names them. */
  authorities: string[]
}

/** Changes `env`. What the controller, the image and Kubernetes have set stays as it is. */
export function closeEnvironment(env: Record<string, string | undefined>): Closed {
  const held = Object.entries(env).filter(([name]) => name.startsWith(HELD_BACK))
  const closed: Closed = { refused: [], authorities: [] }
  for (const name of Object.keys(env)) if (!isRead(name) || refusedHere(name)) delete env[name]
  for (const [heldName, value = ''] of held) {
    const name = heldName.slice(HELD_BACK.length)
    if (variableRefused(name) !== null) closed.refused.push(name)
    else if ((AUTHORITIES as readonly string[]).includes(name))
      closed.authorities.push(...value.split(':').filter(Boolean))
    else if (isRead(name) && (env[name] === undefined || name === 'HOME')) env[name] = value
  }
  return closed
}

/** What somebody else's controller may have given it by its own name: it is too late for the loader, not for libraries. */
function refusedHere(name: string): boolean {
  return /^(GOOGLE|AZURE)_/.test(name) && variableRefused(name) !== null
}

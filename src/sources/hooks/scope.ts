/** Who sent a request, as a part of its identity: two senders with a credential each may call their messages the same. */
import { scrypt } from 'node:crypto'
import { promisify } from 'node:util'

/** More credentials than are accepted at any time. */
const MOST_KNOWN = 100

/**
 * @param salt the same on all replicas
 * @returns what stands for a credential that was accepted: a slow hash, since readers of the bus see what is made of it
 */
export function scopes(salt: string): (credential: string) => Promise<string> {
  const slowHash = promisify<string, string, number, Buffer>(scrypt)
  const known = new Map<string, Promise<string>>()
  return (credential) => {
    const before = known.get(credential)
    if (before !== undefined) return before
    if (known.size >= MOST_KNOWN) known.clear()
    const scope = slowHash(credential, salt, 16).then((bytes) => bytes.toString('hex'))
    known.set(credential, scope)
    scope.catch(() => known.delete(credential))
    return scope
  }
}

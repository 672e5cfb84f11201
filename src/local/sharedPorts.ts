/**
 * The sockets that the hosts listen on. The supervisor binds each once and hands it to every host that asks; the hosts accept on it
 * themselves, so that a frozen one holds no connection it has not already taken (measured against SO_REUSEPORT and node:cluster's
 * round-robin). The supervisor never accepts; it only keeps the socket open: while a host restarts, even the only one,
 * connections wait in the kernel's queue and are not refused.
 *
 * node:cluster shares sockets in the same way, but a host dies of an internal assertion when it asks again for a port that was in
 * use, and the port is closed with the last worker.
 */
import { lookup } from 'node:dns/promises'
import net, { isIP } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** A bound socket, as node:net and child_process know it. */
export interface Handle {
  close(): void
  getsockname(out: { port?: number }): number
}

/** What node:cluster uses for the same purpose: binds without listening. Returns a negative errno when it fails. */
type CreateHandle = (address: string, port: number, addressType: 4 | 6, fd: number, flags: number) => Handle | number
const createHandle = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle

export interface SharedPorts {
  /** @throws an error whose `code` is the system's */
  open(user: number, port: number, host: string): Promise<Handle>
  /** This user no longer accepts on it; closed when nobody does. */
  close(user: number, port: number): void
  /** The user's process is gone but will come back: what it had stays open until {@link settle}. */
  suspend(user: number): void
  /** The user has asked for all that it needs: what it had before and did not ask for again is let go. */
  settle(user: number): void
  /** The user will not come back. */
  leave(user: number): void
}

interface Shared {
  handle: Handle
  /** True while the user's process listens; false: it is expected back. */
  users: Map<number, boolean>
}

export function createSharedPorts(): SharedPorts {
  const open = new Map<number, Promise<Shared>>()

  const letGo = (port: number, shared: Shared, user: number) => {
    if (!shared.users.delete(user) || shared.users.size > 0) return
    shared.handle.close()
    open.delete(port)
  }
  const each = (act: (port: number, shared: Shared) => void) => {
    for (const [port, opening] of open) void opening.then((shared) => act(port, shared)).catch(() => {})
  }
  return {
    async open(user, port, host) {
      for (;;) {
        let opening = open.get(port)
        if (opening === undefined) {
          opening = bind(port, host).then((handle) => ({ handle, users: new Map() }))
          open.set(port, opening)
          opening.catch(() => open.delete(port))
        }
        const shared = await opening
        // the last user may have let go of it in this very moment
        if (open.get(port) !== opening) continue
        shared.users.set(user, true)
        return shared.handle
      }
    },
    close: (user, port) =>
      void open
        .get(port)
        ?.then((shared) => letGo(port, shared, user))
        .catch(() => {}),
    suspend: (user) => each((_, { users }) => users.has(user) && users.set(user, false)),
    settle: (user) => each((port, shared) => shared.users.get(user) === false && letGo(port, shared, user)),
    leave: (user) => each((port, shared) => letGo(port, shared, user)),
  }
}

async function bind(port: number, host: string): Promise<Handle> {
  const { address, family } = isIP(host) === 0 ? await lookup(host) : { address: host, family: isIP(host) }
  const made = createHandle(address, port, family === 6 ? 6 : 4, -1, 0)
  if (typeof made === 'number') throw systemError(getSystemErrorName(made), `bind ${address}:${port}`)
  // the system reports a port in use as late as listen, where the socket would silently get another port: so look
  const bound: { port?: number } = {}
  if (made.getsockname(bound) !== 0 || bound.port !== port) {
    made.close()
    throw systemError('EADDRINUSE', `bind ${address}:${port}`)
  }
  return made
}

function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${what}: ${code}`), { code })
}

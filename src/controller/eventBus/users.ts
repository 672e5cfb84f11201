/**
 * The users of a native bus in its `auth.conf`: one for each EventSource, beside the login that Sensors have. What else the file says, Argo Events' or its
 * owner's, is never touched: what is ours stands between two comments, and taking it out gives the text of before, byte for byte. Pure.
 */
import { type NatsPermissions, type NatsUser, natsUserLine } from '../../runtime/natsPermissions.ts'

/** A user as it stands in the file. */
export interface BusUser extends NatsUser {
  /** {@link Auth.revision} of the file in which it first stood as it does now. */
  since: number
}

export interface Auth {
  /** The file without what is ours. */
  base: string
  users: BusUser[]
  /** Grows with each change, milliseconds since the epoch; 0: nothing is ours. */
  revision: number
}

const BEGIN = '\n# vedette: made by the controller, begin\n'
const END = '# vedette: end\n'
const OURS = new RegExp(`${BEGIN}([\\s\\S]*?)${END}`, 'g')
/** An account without users: the monitoring port of a server names it, and so tells which file that server has read. */
const READ = 'vedette-users-'
const READ_LINE = new RegExp(`^ {2}"${READ}(\\d+)": \\{\\}$`, 'm')
const USER_LINE = /^( {6}\{.*\}) # (\d+)$/gm

/** Secrets hold 1 MiB; the rest is for certificates and what others have written. */
const MOST_BYTES = 800_000

/** Of EventSource `source` on the native bus `bus`. */
export function userSecretName(bus: string, source: string): string {
  return `eventbus-${bus}-js-user-${source}`
}

/** @param text `auth.conf`, with our users or without */
export function readAuth(text: string): Auth {
  const ours = [...text.matchAll(OURS)].map(([, lines]) => lines!).join('')
  const users = [...ours.matchAll(USER_LINE)].flatMap(([, json, since]) => {
    const user = readUser(json!, Number(since))
    return user === null ? [] : [user]
  })
  return { base: text.replace(OURS, ''), users, revision: Number(READ_LINE.exec(ours)?.[1] ?? 0) }
}

/** Null: by another hand. */
function readUser(json: string, since: number): BusUser | null {
  try {
    const { user, password, permissions } = JSON.parse(json) as Record<string, any>
    const permitted = { publish: permissions.publish.allow, subscribe: permissions.subscribe.allow }
    return { user, password, permissions: permitted, since }
  } catch {
    return null
  }
}

/** @returns null: there is no place for users that we know of (somebody wrote the file in another form), or no room for so many */
export function writeAuth({ base, users, revision }: Auth): string | null {
  if (revision === 0) return base
  const accounts = /"?accounts"?\s*[:=]?\s*\{/.exec(base)
  const list = /"?js"?\s*[:=]?\s*\{[\s\S]*?"?users"?\s*[:=]?\s*\[/.exec(base)
  if (accounts === null || list === null) return null
  const [first, second] = [accounts.index + accounts[0].length, list.index + list[0].length]
  if (second < first) return null
  const lines = users.map((user) => `      ${natsUserLine(user)} # ${user.since}\n`).join('')
  const text = [
    base.slice(0, first),
    `${BEGIN}  "${READ}${revision}": {}\n${END}`,
    base.slice(first, second),
    `${BEGIN}${lines}${END}`,
    base.slice(second),
  ].join('')
  return Buffer.byteLength(text) > MOST_BYTES ? null : text
}

/**
 * The file with these users and no others.
 * @param wanted in any order
 * @param now milliseconds since the epoch
 * @returns the same file when nothing changes
 */
export function withUsers(auth: Auth, wanted: readonly NatsUser[], now: number): Auth {
  const known = new Map(auth.users.map((user) => [natsUserLine(user), user]))
  const revision = Math.max(Math.floor(now), auth.revision + 1)
  const users = wanted
    .map((user): BusUser => ({ ...user, since: known.get(natsUserLine(user))?.since ?? revision }))
    .sort((a, b) => (a.user < b.user ? -1 : 1))
  const isSame = users.length === auth.users.length && users.every(({ since }) => since !== revision)
  return isSame ? auth : { ...auth, users, revision }
}

/** Whether whoever has the first may do what the second asks for. */
export function covers(has: NatsPermissions, wants: NatsPermissions): boolean {
  return (
    wants.publish.every((subject) => has.publish.includes(subject)) &&
    wants.subscribe.every((subject) => has.subscribe.includes(subject))
  )
}

/** What either may. */
export function union(a: NatsPermissions, b: NatsPermissions): NatsPermissions {
  return {
    publish: [...new Set([...a.publish, ...b.publish])],
    subscribe: [...new Set([...a.subscribe, ...b.subscribe])],
  }
}

/** @param accountz the answer of `/accountz`; @returns the {@link Auth.revision} of the file that the server has read */
export function revisionIn(accountz: unknown): number {
  const { accounts = [] } = (accountz ?? {}) as { accounts?: string[] }
  const found = accounts.flatMap((name) => (name.startsWith(READ) ? [Number(name.slice(READ.length))] : []))
  return Math.max(0, ...found)
}

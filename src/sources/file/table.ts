/**
 * What a directory looked like at one moment: every entry's name with what `lstat` says of it.
 *
 * A name is kept as the bytes that the file system gave, one character per byte (latin1), because file names need not
 * be UTF-8 and two different names must never fall together.
 */
import type { BigIntStats } from 'node:fs'

export interface FileState {
  ino: bigint
  /** Bytes. */
  size: number
  mtimeNs: bigint
  ctimeNs: bigint
  /** Time of creation; 0 where the file system has none. Tells a new file from an old one when an inode is reused. */
  btimeNs: bigint
  /** `st_mode`: kind and permissions. */
  mode: number
  /** True when all its times were set in one go, as `touch` does. Not kept in snapshots. */
  touched?: boolean
}

export type Table = ReadonlyMap<string, FileState>

/** The key of the watched directory itself, which polling reports on; no entry has an empty name. */
export const SELF = ''

const KIND = 0o170000
const REGULAR = 0o100000
const DIRECTORY = 0o040000

export function isRegular(state: FileState): boolean {
  return (state.mode & KIND) === REGULAR
}

export function isDirectory(state: FileState): boolean {
  return (state.mode & KIND) === DIRECTORY
}

export function stateOf(stats: BigIntStats): FileState {
  const { ino, mtimeNs, ctimeNs, atimeNs, birthtimeNs } = stats
  const state: FileState = {
    ino,
    size: Number(stats.size),
    mtimeNs,
    ctimeNs,
    btimeNs: birthtimeNs,
    mode: Number(stats.mode),
  }
  if (atimeNs === mtimeNs && mtimeNs === ctimeNs) state.touched = true
  return state
}

/** True when nothing that a snapshot keeps differs. */
export function equalStates(a: FileState, b: FileState): boolean {
  return a.ino === b.ino && a.btimeNs === b.btimeNs && equalButInode(a, b)
}

/**
 * True when both are the same file, perhaps changed since. Some network file systems renumber inodes; a different
 * inode with all else equal, the times of change and creation included, is taken for the same file.
 */
export function sameFile(a: FileState, b: FileState): boolean {
  return (a.mode & KIND) === (b.mode & KIND) && (sameInode(a, b) || (a.btimeNs === b.btimeNs && equalButInode(a, b)))
}

/** True when `b`, under another name, is the file that `a` was. */
export function movedTo(a: FileState, b: FileState): boolean {
  if (a.ino !== b.ino || (a.mode & KIND) !== (b.mode & KIND)) return false
  // without a time of creation a reused inode looks like a rename: then the content must be the same too
  return a.btimeNs !== 0n && b.btimeNs !== 0n ? a.btimeNs === b.btimeNs : a.mtimeNs === b.mtimeNs && a.size === b.size
}

function sameInode(a: FileState, b: FileState): boolean {
  return a.ino === b.ino && (a.btimeNs === b.btimeNs || a.btimeNs === 0n || b.btimeNs === 0n)
}

function equalButInode(a: FileState, b: FileState): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.mode === b.mode
}

/** A state as it goes into positions and snapshots: numbers in base 36. */
export type PackedState = [ino: string, size: number, mtimeNs: string, ctimeNs: string, btimeNs: string, mode: number]

export function pack({ ino, size, mtimeNs, ctimeNs, btimeNs, mode }: FileState): PackedState {
  return [ino.toString(36), size, mtimeNs.toString(36), ctimeNs.toString(36), btimeNs.toString(36), mode]
}

export function unpack([ino, size, mtimeNs, ctimeNs, btimeNs, mode]: PackedState): FileState {
  return { ino: big(ino), size, mtimeNs: big(mtimeNs), ctimeNs: big(ctimeNs), btimeNs: big(btimeNs), mode }
}

/** Base 36 to bigint, ten digits at a time (36^10 is below 2^53). */
function big(text: string): bigint {
  const negative = text.startsWith('-')
  let value = 0n
  for (let at = negative ? 1 : 0; at < text.length; at += 10) {
    const digits = text.slice(at, at + 10)
    value = value * 36n ** BigInt(digits.length) + BigInt(Number.parseInt(digits, 36))
  }
  return negative ? -value : value
}

/** The name as people and payloads have it; bytes that are not UTF-8 become U+FFFD. */
export function displayName(key: string): string {
  return /^[\x00-\x7f]*$/.test(key) ? key : Buffer.from(key, 'latin1').toString('utf8')
}

/** The name for an event id: ASCII without blanks or control characters, different for different bytes. */
export function escapedName(key: string): string {
  return key.replace(/[^\w.~+@=,-]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

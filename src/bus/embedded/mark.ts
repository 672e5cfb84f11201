/**
 * A small file beside the store that says that there is one, and how far it had come: when the store's own file has vanished, is empty or is
 * one of yesterday (a backup that was put back), nothing else tells that from a first start, and numbers would be given twice.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openFresh } from '../../core/own-files.ts'

export const MARK_FILE = 'store.json'
/**
 * Between the last sequence number or revision known and the next given, when the store no longer knows what it gave: so far the store may go
 * on before its mark is written anew.
 */
export const SEQ_GAP = 1_000_000

export interface Mark {
  /** When the store began, RFC 3339. */
  begun: string
  /** When this was written. */
  written: string
  incarnation: number
  seq: number
}

/** Null when there is none, or none that can be read: what it guards against is then not seen, but nothing is refused for it. */
export function readMark(dir: string): Mark | null {
  try {
    const { begun, written, incarnation, seq } = JSON.parse(readFileSync(join(dir, MARK_FILE), 'utf8')) as Mark
    const sound = typeof begun === 'string' && typeof written === 'string' && isCount(incarnation) && isCount(seq)
    return sound ? { begun, written, incarnation, seq } : null
  } catch {
    return null
  }
}

/** On disk, and with it the names of all files in the directory, when this returns. @throws of the file system */
export function writeMark(dir: string, { incarnation, seq }: Pick<Mark, 'incarnation' | 'seq'>, now: Date): void {
  const written = now.toISOString()
  const mark: Mark = { begun: readMark(dir)?.begun ?? written, written, incarnation, seq }
  const file = join(dir, MARK_FILE)
  const handle = openFresh(`${file}.new`)
  try {
    writeSync(handle, `${JSON.stringify(mark)}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(`${file}.new`, file)
  syncDirectory(dir)
}

/** Makes the names in a directory durable, where the platform can. */
export function syncDirectory(dir: string): void {
  let handle: number
  try {
    handle = openSync(dir, 'r')
  } catch {
    return
  }
  try {
    fsyncSync(handle)
  } catch {
    // some file systems know no sync of a directory
  } finally {
    closeSync(handle)
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** What is left to us of a tree that Argo Events' own Pods watched. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Told } from '../../source.ts'
import { ops } from '../states/file-event.ts'
import { changesBetween, type EntryState } from './diff.ts'
import { withoutUntold } from './predecessor.ts'

const payload = ({ op, path }: { op: number; path: string }) => `${op} ${path}`
const told = (op: number, path: string, atMs: number): Told => ({ id: 'random', atMs, data: payload({ op, path }) })

/** What is told of a tree that was looked at as it is now. */
function owed(tree: [path: string, state: EntryState][], theirs: Told[], wanted: number): string[] {
  const now = new Map(tree)
  const began = withoutUntold({ told: theirs, seen: null }, { began: now, now }, payload, (op) => (op & wanted) !== 0)
  return changesBetween(began, now)
    .filter(({ op }) => (op & wanted) !== 0)
    .map(payload)
}

const file = (fileId: number, mtimeMs: number): EntryState => [fileId, 3, mtimeMs, '644']
const folder = (fileId: number, mtimeMs: number): EntryState => [fileId, 0, mtimeMs, 'd755']

test('what was made after the last that they told, by the numbers that HDFS gives', () => {
  const tree: [string, EntryState][] = [
    ['long-ago', file(1, 900)],
    ['last', folder(2, 800)],
    ['behind', file(3, 300)],
    ['behind-too', folder(4, 300)],
  ]
  assert.deepEqual(owed(tree, [told(ops.CREATE, 'last', 500)], ops.CREATE), ['1 behind', '1 behind-too'])
  assert.deepEqual(owed(tree, [], ops.CREATE), [], 'they told nothing: the look alone counts')
  assert.deepEqual(owed(tree, [told(ops.CREATE, 'last', 500)], ops.REMOVE), [], 'of what nobody is told')
})

test('where it gives none, by the times of files', () => {
  const tree: [string, EntryState][] = [
    ['long-ago', file(0, 100)],
    ['last', file(0, 200)],
    ['folder', folder(0, 300)],
    ['behind', file(0, 300)],
  ]
  assert.deepEqual(owed(tree, [told(ops.CREATE, 'last', 250)], ops.CREATE), ['1 behind'])
})

test('what was written after the last write that they told', () => {
  const tree: [string, EntryState][] = [
    ['long-ago', file(4, 100)],
    ['last', file(3, 200)],
    ['behind', file(2, 300)],
    ['again', file(1, 400)],
  ]
  const theirs = [told(ops.WRITE, 'again', 150), told(ops.WRITE, 'last', 250)]
  assert.deepEqual(owed(tree, theirs, ops.WRITE), ['2 behind', '2 again'])
})

/** The manifest of a run, and what edits make of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { type Edits, manifestOf } from './manifest.ts'

const origins = [
  { type: 'nsq', spec: 'topic: a\nchannel: b', documents: [] },
  { type: 'sqs', spec: 'queue: c', documents: ['apiVersion: v1\nkind: Secret\nmetadata: { name: aws }'] },
]
const now: Edits = { replicas: 3, extra: false, without: new Set(), edits: [0, 0], mistake: false }
const made = (together: boolean, change: Partial<Edits> = {}) => {
  const text = manifestOf({ together, everyMs: 250 }, { ports: [8080], bus: null, origins }, { ...now, ...change })
  return parseAllDocuments(text).map((one) => one.toJS())
}
const sources = (together: boolean, change?: Partial<Edits>) =>
  made(together, change).filter(({ kind }) => kind === 'EventSource')

test('an EventSource each, or one that holds all entries', () => {
  assert.deepEqual(
    sources(false).map(({ metadata }) => metadata.name),
    ['clock', 'orders', 'queue'],
  )
  const [all, ...others] = sources(true)
  assert.deepEqual(others, [])
  assert.deepEqual(Object.keys(all.spec).sort(), ['calendar', 'nsq', 'replicas', 'sqs', 'webhook'])
  assert.deepEqual(all.spec.nsq, { numbers0: { topic: 'a', channel: 'b' } })
  assert.deepEqual(all.spec.sqs, { numbers1: { queue: 'c' } })
  assert.ok(made(true).some(({ kind }) => kind === 'Secret'))
})

test('edits: replicas, an entry more, an entry less, metadata, a mistake', () => {
  assert.deepEqual(
    sources(false, { replicas: 5 }).map(({ spec }) => spec.replicas),
    [5, 5, 5],
  )
  assert.ok('extra' in sources(false, { extra: true })[0].spec.calendar)
  assert.deepEqual(Object.keys(sources(false, { without: new Set([0]) })[2].spec), ['replicas', 'sqs'])
  assert.equal(sources(false, { without: new Set([0, 1]) }).length, 2)
  assert.deepEqual(sources(false, { edits: [2, 0] })[2].spec.nsq.numbers0.metadata, { edited: '2' })
  const broken = manifestOf(
    { together: true, everyMs: 250 },
    { ports: [1], bus: null, origins },
    { ...now, mistake: true },
  )
  assert.ok(parseAllDocuments(broken).some(({ errors }) => errors.length > 0))
})

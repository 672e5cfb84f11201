import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVedetteError } from '../core/errors.ts'
import { diagnosticLine, loadManifest } from './load.ts'

const valid = `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: orders
  labels: {team: shop}
spec:
  replicas: 3
  webhook:
    created: &created
      port: "12000"
      endpoint: /orders
      method: POST
      authSecret: {name: s, key: k}
      filter: {expression: body.x == 1, onError: publish}
    changed:
      <<: *created
      endpoint: /changed
  calendar:
    tick: {schedule: "*/5 * * * *", timezone: Europe/Berlin, exclusionDates: ["EXDATE:20261225T000000Z"]}
  file:
    in:
      eventType: CREATE
      watchPathConfig: {directory: /tmp/, pathRegexp: "a.*"}
  kafka:
    k: {url: a}
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {name: default}
spec: {nats: {native: {replicas: 3, auth: token}}}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {k: hunter2}
data: {b: aHVudGVyMw==}
`

/** Loads, within bounds of time; whatever comes back is well formed. */
async function survives(text: string): Promise<void> {
  const before = process.cpuUsage()
  try {
    const { manifest, diagnostics } = await loadManifest([{ file: 'f', text }], { checkFilter: () => null })
    const lines = text.split('\n').length
    for (const diagnostic of diagnostics) {
      assert.match(diagnosticLine(diagnostic), /^f:\d+:\d+: (error|warning): /)
      assert.ok(diagnostic.line >= 1 && diagnostic.line <= lines, `line ${diagnostic.line} of ${lines}`)
      assert.ok(diagnostic.column >= 1, `column ${diagnostic.column}`)
    }
    for (const { entries, name } of manifest.eventSources) {
      assert.notEqual(name, '')
      for (const { spec, refused } of entries) assert.ok(spec !== undefined || refused !== undefined)
    }
  } catch (error) {
    if (!isVedetteError(error)) throw error
  }
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 1e6, `${(user + system) / 1000} ms of processor time`)
}

const scrap = fc.constantFrom(
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ': ',
    '- ',
    '? ',
    '&a ',
    '*a',
    '*created',
    '<<: *created\n',
    '!!int ',
    '!x ',
    '|',
    '>-',
    '"',
    "'",
    '#',
  ],
  ...[
    '\n',
    '\n\n',
    '\n  ',
    '\t',
    ' ',
    '\r\n',
    '---\n',
    '...\n',
    '%YAML 1.2\n',
    '\0',
    '\uFEFF',
    '\u2028',
    '\ud800',
    '🦊',
    'é',
  ],
  ...[
    'null',
    '~',
    'yes',
    '.inf',
    '0x1',
    '-1',
    '1e400',
    '99999999999999999999',
    '"\\x"',
    '__proto__',
    'constructor',
    '$term',
    'a.b',
  ],
)

/** A change: `length` characters at `at` become `text`. */
const edit = fc.record({
  at: fc.nat(valid.length),
  length: fc.nat(12),
  text: fc.oneof(fc.constant(''), scrap, fc.string({ maxLength: 12 })),
})

test('a valid manifest with random edits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 6 }), async (edits) => {
      let text = valid
      for (const { at, length, text: put } of edits) text = text.slice(0, at) + put + text.slice(at + length)
      await survives(text)
    }),
    { numRuns: 400 },
  )
})

test('garbage, and scraps of YAML', async () => {
  const garbage = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(scrap, { maxLength: 60 }).map((scraps) => scraps.join('')),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('utf8')),
  )
  await fc.assert(fc.asyncProperty(garbage, survives), { numRuns: 400 })
})

test('any JSON in place of a spec, and of each of its parts', async () => {
  const path = fc.constantFrom(
    ...['spec', 'spec.webhook', 'spec.webhook.e', 'spec.calendar.e', 'spec.file.e', 'spec.file.e.watchPathConfig'],
    ...[
      'spec.calendar.e.persistence.catchup',
      'spec.template',
      'spec.service',
      'metadata',
      'spec.webhook.e.filter',
      'spec.replicas',
    ],
  )
  const kind = fc.constantFrom('EventSource', 'EventBus', 'Secret', 'ConfigMap')
  await fc.assert(
    fc.asyncProperty(kind, path, fc.jsonValue({ maxDepth: 4 }), async (kind, path, value) => {
      const apiVersion = kind.startsWith('Event') ? 'argoproj.io/v1alpha1' : 'v1'
      const object: any = { apiVersion, kind, metadata: { name: 'a' }, spec: {} }
      const steps = path.split('.')
      let at = object
      for (const step of steps.slice(0, -1)) at = at[step] ??= {}
      at[steps.at(-1)!] = value
      await survives(JSON.stringify(object))
    }),
    { numRuns: 400 },
  )
})

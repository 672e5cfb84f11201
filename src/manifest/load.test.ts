import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diagnosticLine, loadManifest } from './load.ts'

const load = (text: string) => loadManifest([{ file: 'f.yaml', text }])

/** Everything found, as `line:col severity path: message`. */
async function found(text: string): Promise<string[]> {
  const { diagnostics } = await load(text)
  return diagnostics.map(({ line, column, severity, at, message }) => `${line}:${column} ${severity} ${at}: ${message}`)
}

const head = `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: orders
spec:
`
const webhook = (indent: string, port = '"12000"', endpoint = '/orders') =>
  `${indent}port: ${port}\n${indent}endpoint: ${endpoint}\n${indent}method: POST\n`

test('a valid manifest has no findings and every default', async () => {
  const { manifest, diagnostics } = await load(`${head}  webhook:\n    created:\n${webhook('      ')}`)
  assert.deepEqual(diagnostics, [])
  const [source] = manifest.eventSources
  assert.equal(source!.namespace, 'default')
  assert.equal(source!.eventBusName, 'default')
  assert.equal(source!.replicas, 1)
  assert.deepEqual(source!.place, { file: 'f.yaml', line: 4, column: 9 })
  const [entry] = source!.entries
  assert.equal(entry!.type, 'webhook')
  assert.equal(entry!.name, 'created')
  assert.equal(entry!.refused, undefined)
  assert.deepEqual(entry!.place, { file: 'f.yaml', line: 7, column: 5 })
  assert.equal((entry!.spec as { port: string }).port, '12000')
  assert.deepEqual(source!.spec, { webhook: { created: { port: '12000', endpoint: '/orders', method: 'POST' } } })
})

test('an entry knows what its type needs, also one that is refused', async () => {
  const types = ['resource:\n    e: {}', 'file:\n    e: {}', `webhook:\n    e:\n${webhook('      ')}`]
  const loaded = await Promise.all(types.map((text) => load(`${head}  ${text}\n`)))
  const needs = loaded.map(({ manifest }) => manifest.eventSources[0]!.entries[0]!.needs)
  assert.deepEqual(needs, [['kubernetes'], ['files'], undefined])
})

test('names that a bus cannot carry are warned of and refused, but for Kafka', async () => {
  const text = (bus: string) => `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {name: default}
spec: ${bus}
---
${head}  webhook:
    has.dot: {port: "1", endpoint: /a, method: POST}
    has space: {port: "1", endpoint: /b, method: POST}
    "a*": {port: "1", endpoint: /c, method: POST}
    $term: {port: "1", endpoint: /d, method: POST}
    fine: {port: "1", endpoint: /e, method: POST}
`
  const refused = async (bus: string) => {
    const { manifest, diagnostics } = await load(text(bus))
    assert.ok(diagnostics.every(({ severity }) => severity === 'warning'))
    return [
      diagnostics.length,
      manifest.eventSources[0]!.entries.filter((entry) => entry.refused !== undefined).map(({ name }) => name),
    ]
  }
  assert.deepEqual(await refused('{nats: {native: {}}}'), [4, ['has.dot', 'has space', '$term']])
  assert.deepEqual(await refused('{kafka: {url: "k:9092"}}'), [1, ['$term']])
})

test('a dot in the name of the EventSource refuses all its entries', async () => {
  const { manifest } = await load(`${head.replace('orders', 'or.ders')}  webhook:\n    created:\n${webhook('      ')}`)
  assert.match(manifest.eventSources[0]!.entries[0]!.refused!, /"or\.ders" contains "\."/)
})

test('entries that would share a port and endpoint, or a port with and without TLS', async () => {
  const tls = '      serverCertSecret: {name: t, key: c}\n      serverKeySecret: {name: t, key: k}\n'
  const { manifest, diagnostics } = await load(
    `${head}  webhook:\n    a:\n${webhook('      ')}    b:\n${webhook('      ')}    c:\n${webhook('      ', '"12000"', '/c')}${tls}` +
      `    d:\n${webhook('      ', '"12000"', '/d')}---\n${head.replace('orders', 'other')}  webhook:\n    e:\n${webhook('      ')}`,
  )
  assert.deepEqual(
    manifest.eventSources.flatMap(({ entries }) => entries).map(({ name, refused }) => [name, refused !== undefined]),
    [
      ['a', false],
      ['b', true],
      ['c', true],
      ['d', false],
      ['e', true],
    ],
  )
  assert.deepEqual(
    diagnostics.map(({ line, fatal, severity }) => [line, severity, fatal]),
    [
      [11, 'warning', true],
      [15, 'warning', true],
      [32, 'warning', true],
    ],
  )
})

test('fatal findings and errors of a type refuse the entry, and only that one', async () => {
  const { manifest } = await load(
    `${head}  webhook:\n    a:\n${webhook('      ').replace('POST', 'PUT')}    b:\n${webhook('      ', '"2"')}  calendar: {c: {}}\n`,
  )
  assert.deepEqual(
    manifest.eventSources[0]!.entries.map(({ name, refused }) => [name, refused?.split(' ')[0]]),
    [
      ['a', 'method:'],
      ['b', undefined],
      ['c', 'must'],
    ],
  )
})

test('replicas: 0 is honoured, with a warning', async () => {
  const { manifest, diagnostics } = await load(`${head}  replicas: 0\n  calendar: {c: {interval: 10s}}\n`)
  assert.equal(manifest.eventSources[0]!.replicas, 0)
  assert.match(diagnosticLine(diagnostics[0]!), /^f\.yaml:6:13: warning: spec\.replicas: nothing serves/)
})

test('filters: kept beside the spec; empty ones and bad ones cannot work; onError is ours', async () => {
  const entry = (name: string, filter: string) =>
    `    ${name}: {port: "1", endpoint: /${name}, method: POST, filter: ${filter}}\n`
  const { manifest, diagnostics } = await loadManifest(
    [
      {
        file: 'f.yaml',
        text: `${head}  webhook:\n${entry('a', '{expression: "body.x == 1"}')}${entry('b', '{}')}${entry('c', '{expression: "x ==", onError: publish}')}${entry('d', '{expression: "true", onError: retry}')}${entry('e', '{expression: 1}')}`,
      },
    ],
    { checkFilter: (expression) => (expression.endsWith('==') ? 'it ends too early' : null) },
  )
  assert.deepEqual(
    manifest.eventSources[0]!.entries.map(({ filter, refused }) => [filter, refused]),
    [
      [{ expression: 'body.x == 1', onError: 'drop' }, undefined],
      [{ expression: '', onError: 'drop' }, 'filter: a filter without an expression fails for every event'],
      [{ expression: 'x ==', onError: 'publish' }, 'filter.expression: it ends too early'],
      [{ expression: 'true', onError: 'drop' }, undefined],
      [undefined, 'filter.expression: must be a string, is a number'],
    ],
  )
  assert.deepEqual(
    diagnostics.map(({ severity, at }) => [severity, at]),
    [
      ['warning', 'spec.webhook.b.filter'],
      ['warning', 'spec.webhook.c.filter.expression'],
      ['warning', 'spec.webhook.d.filter.onError'],
      ['error', 'spec.webhook.e.filter.expression'],
    ],
  )
})

test('the language of filters decides when nothing else is given', async () => {
  const { diagnostics } = await load(
    `${head}  webhook:\n    a: {port: "1", endpoint: /a, method: POST, filter: {expression: "body.x =="}}\n    b: {port: "1", endpoint: /b, method: POST, filter: {expression: "body.x == 1"}}\n`,
  )
  assert.deepEqual(
    diagnostics.map(({ line, severity, fatal }) => [line, severity, fatal]),
    [[7, 'warning', true]],
  )
})

test('two of one kind and name: an error that names the first; other namespaces are others', async () => {
  const secret = (name: string, namespace: string) =>
    `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: ${namespace}}\n---\n`
  const { manifest, diagnostics } = await loadManifest([
    { file: 'a.yaml', text: secret('s', 'x') + secret('s', 'z') },
    { file: 'b.yaml', text: secret('s', 'x') },
  ])
  assert.equal(manifest.secrets.length, 2)
  assert.deepEqual(diagnostics.map(diagnosticLine), [
    'b.yaml:3:18: error: metadata.name: there are two of Secret "s" in namespace x (the first is at a.yaml:3: rename or remove one)',
  ])
})

test('Secrets and ConfigMaps are decoded; no message shows a value', async () => {
  const { manifest, diagnostics } = await load(`apiVersion: v1
kind: Secret
metadata: {name: s}
type: Opaque
data: {a: aGk=, b: "hunter2!", c: 77123, folded: "aG\\nk="}
stringData: {d: plain, a: wins}
stringdata: {e: hunter3}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: text}
binaryData: {b: aGk=}
`)
  assert.deepEqual(manifest.secrets, [
    { namespace: 'default', name: 's', data: { a: 'wins', d: 'plain', folded: 'hi' } },
  ])
  assert.deepEqual(manifest.configMaps, [{ namespace: 'default', name: 'c', data: { a: 'text', b: 'hi' } }])
  const text = JSON.stringify(diagnostics)
  assert.deepEqual(
    diagnostics.map(({ severity, at }) => `${severity} ${at}`),
    ['error data.b', 'error data.c', 'warning stringdata'],
  )
  assert.doesNotMatch(text, /hunter|77123/)
})

test('syntax mistakes in a Secret do not show its text', async () => {
  for (const broken of [
    'password: "hunter2',
    'password: *hunter2',
    'password: @hunter2',
    'a: {hunter2',
    ' hunter2\n: x',
  ]) {
    const { diagnostics } = await load(`apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  ${broken}\n`)
    assert.ok(diagnostics.length > 0, broken)
    assert.doesNotMatch(JSON.stringify(diagnostics), /hunter/)
  }
})

test('an EventBus: several mistakes at once', async () => {
  assert.deepEqual(
    await found(
      'apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: {name: default}\nspec:\n  kafka: {}\n  jetstream: {replicas: 2}\n',
    ),
    [
      '5:3 warning spec.kafka: is ignored: "jetstream" is used',
      '5:3 error spec.kafka.url: "spec.kafka.url" is missing',
      '6:3 error spec.jetstream.version: invalid spec: a version for jetstream needs to be specified',
      '6:25 error spec.jetstream.replicas: invalid spec: a jetstream eventbus requires 1 replica or >= 3 replicas',
    ],
  )
})

test('other kinds are skipped, Lists are opened', async () => {
  const { manifest, diagnostics } = await load(`apiVersion: v1
kind: List
items:
  - apiVersion: argoproj.io/v1alpha1
    kind: EventSource
    metadata: {name: a, uid: x, resourceVersion: "1"}
    spec: {calendar: {t: {interval: 5}}}
    status: {}
  - {apiVersion: argoproj.io/v1alpha1, kind: Sensor, metadata: {name: s}}
`)
  assert.deepEqual(
    diagnostics.map(({ line, at }) => [line, at]),
    [[7, 'spec.calendar.t.interval']],
  )
  assert.deepEqual(
    manifest.skipped.map(({ kind, name, line }) => [kind, name, line]),
    [['Sensor', 's', 9]],
  )
})

test('anchors, aliases and merge keys mean what they say, and places follow', async () => {
  const { manifest, diagnostics } = await load(`${head}  webhook:
    a: &base
      port: "1"
      endpoint: /a
      method: POST
    b:
      <<: *base
      endpoint: /b
    c: {<<: *base, endpoint: 7}
`)
  const specs = manifest.eventSources[0]!.entries.map(({ spec }) => spec as { port: string; endpoint: string })
  assert.deepEqual(
    specs.slice(0, 2).map(({ port, endpoint }) => [port, endpoint]),
    [
      ['1', '/a'],
      ['1', '/b'],
    ],
  )
  assert.deepEqual(
    diagnostics.map(({ line, column, at }) => [line, column, at]),
    [[14, 30, 'spec.webhook.c.endpoint']],
  )
})

test('terminal escapes in names are written out', async () => {
  const { diagnostics } = await load(`${head}  "web\\e[31mhook\\u202e": {}\n`)
  const line = diagnosticLine(diagnostics.at(-1)!)
  assert.doesNotMatch(line, /[\0-\x1f\x7f-\x9f\u202e]/)
  assert.match(line, /u001b/)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadManifest } from './load.ts'

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

const places: { name: string; text: string; want: string[] }[] = [
  {
    name: 'a wrong type: at the value',
    text: `${head}  webhook:\n    created:\n${webhook('      ', '12000')}`,
    want: ['8:13 error spec.webhook.created.port: must be a string, is a number'],
  },
  {
    name: 'a missing field: at the key of its parent',
    text: `${head}  webhook:\n    created:\n      port: "1"\n      method: POST\n`,
    want: ["7:5 error spec.webhook.created.endpoint: endpoint can't be empty"],
  },
  {
    name: 'a wrong value: at the value, quotes included',
    text: `${head}  calendar:\n    tick:\n      interval:   "10"\n`,
    want: [
      '8:19 error spec.calendar.tick.interval: failed to parse interval 10 from calendar event. Cause: time: missing unit in duration "10"',
    ],
  },
  {
    name: 'a wrong value in flow style',
    text: `${head}  webhook: {created: {port: "abc", endpoint: /x, method: POST}}\n`,
    want: [
      '6:29 error spec.webhook.created.port: failed to parse server port abc. err: strconv.Atoi: parsing "abc": invalid syntax',
    ],
  },
  {
    name: 'an unknown field: at its key',
    text: `${head}  replica: 3\n  webhook:\n    created:\n${webhook('      ')}      endpiont: /x\n`,
    want: [
      '6:3 warning spec.replica: unknown field "replica": it is ignored',
      '12:7 warning spec.webhook.created.endpiont: unknown field "endpiont": it is ignored',
    ],
  },
  {
    name: 'members of lists',
    text: `${head}  calendar:\n    tick:\n      interval: 10s\n      exclusionDates:\n        - 7\n        - [a]\n`,
    want: [
      '10:11 error spec.calendar.tick.exclusionDates[0]: must be a string, is a number',
      '11:11 error spec.calendar.tick.exclusionDates[1]: must be a string, is a list',
    ],
  },
  {
    name: 'an object where text belongs: at the key',
    text: `${head}  webhook:\n    created:\n      port:\n        number: 1\n      endpoint: /x\n      method: POST\n`,
    want: ['8:7 error spec.webhook.created.port: must be a string, is an object'],
  },
  {
    name: 'an entry that is no object, a type that is no object',
    text: `${head}  webhook:\n    created: 7\n  file: [1]\n`,
    want: [
      '7:14 error spec.webhook.created: must be an object, is a number',
      '8:3 error spec.file: must be an object, is a list',
    ],
  },
  {
    name: 'an entry without fields is checked as an empty one',
    text: `${head}  calendar:\n    tick:\n`,
    want: ['7:5 error spec.calendar.tick: must have either schedule or interval'],
  },
  {
    name: 'one name under two types: at the second',
    text: `${head}  webhook:\n    twice:\n${webhook('      ')}  calendar:\n    twice: {interval: 10s}\n`,
    want: ['12:5 error spec.calendar.twice: more than one "twice" found in the spec'],
  },
  {
    name: 'types of both strategies may stand in one object',
    text: `${head}  webhook:\n    a:\n${webhook('      ')}  calendar:\n    b: {interval: 10s}\n`,
    want: [],
  },
  {
    name: 'replicas',
    text: `${head}  replicas: -3\n  webhook:\n    created:\n${webhook('      ')}`,
    want: ['6:13 warning spec.replicas: -3 acts as 1'],
  },
  {
    name: 'a number of replicas that is none',
    text: `${head}  replicas: "2"\n  webhook:\n    created:\n${webhook('      ')}`,
    want: ['6:13 error spec.replicas: must be a number, is a string'],
  },
  {
    name: 'no events',
    text: `${head}  replicas: 1\n`,
    want: ['5:1 warning spec: it has no events'],
  },
  {
    name: 'a type of a later version',
    text: `${head}  gerrit:\n    k: {url: a, topic: b, partition: "0"}\n`,
    want: ['7:5 warning spec.gerrit.k: the type gerrit is not yet in this version'],
  },
  {
    name: 'labels that are no text',
    text: head.replace('spec:', '  labels:\n    a: 1\nspec:').concat(`  webhook:\n    created:\n${webhook('      ')}`),
    want: ['6:8 error metadata.labels.a: must be a string, is a number'],
  },
  {
    name: 'no name, no kind, no apiVersion, a wrong one',
    text: `${head.replace('  name: orders', '  namespace: x')}  webhook:\n    created:\n${webhook('      ')}---
apiVersion: v1
---
kind: EventSource
---
apiVersion: argoproj.io/v1
kind: EventBus
---
kind: eventsource
---
- a
`,
    want: [
      '3:1 error metadata.name: is missing',
      '12:1 error kind: is missing',
      '14:1 error apiVersion: is missing',
      '16:13 error apiVersion: "argoproj.io/v1" has no EventBus',
      '19:7 error kind: unknown kind "eventsource"',
      '21:1 error .: a document must be an object',
    ],
  },
  {
    name: 'names that Kubernetes does not take',
    text: `${head.replace('orders', 'My_Orders\n  namespace: a.b')}  webhook:\n    created:\n${webhook('      ')}`,
    want: [
      '4:9 error metadata.name: "My_Orders" is no name that Kubernetes takes',
      '5:14 error metadata.namespace: "a.b" is no namespace that Kubernetes takes',
    ],
  },
  {
    name: 'CRLF and a byte order mark move no place',
    text: `\uFEFF${`${head}  webhook:\n    created:\n${webhook('      ', '12000')}`.replaceAll('\n', '\r\n')}`,
    want: ['8:13 error spec.webhook.created.port: must be a string, is a number'],
  },
  {
    name: 'a duplicate key: at the second',
    text: `${head}  webhook:\n    created:\n${webhook('      ')}      port: "2"\n`,
    want: ['11:7 error .: the key "port" is there twice'],
  },
  {
    name: 'syntax: at the place, and the other documents are checked all the same',
    text: `a: [1\n---\n${head}  calendar:\n    t: {}\n---\nb: {x\n`,
    want: [
      '2:1 error .: flow sequence in block collection must be sufficiently indented and end with a ]',
      '9:5 error spec.calendar.t: must have either schedule or interval',
      '12:1 error .: flow map in block collection must be sufficiently indented and end with a }',
    ],
  },
]
for (const { name, text, want } of places) test(`place: ${name}`, async () => assert.deepEqual(await found(text), want))

test('what is wrong in one field does not hide what is wrong in another', async () => {
  const lines = await found(`${head}  file:
    f:
      eventType: 1
      watchPathConfig:
        directory: relative
        path: [x]
`)
  assert.deepEqual(lines, [
    '8:18 error spec.file.f.eventType: must be a string, is a number',
    '10:20 error spec.file.f.watchPathConfig.directory: directory must be an absolute file path',
    '11:9 error spec.file.f.watchPathConfig.path: must be a string, is a list',
  ])
})

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { plainValue } from '../manifest/tree.ts'
import { parseYaml } from '../manifest/yaml.ts'

const main = path.resolve(import.meta.dirname, 'main.ts')

function vedette(args: string[], input = '') {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], { input, encoding: 'utf8' })
  return { stdout, stderr, status, objects: () => parseYaml(stdout).documents.map(plainValue) as Record<string, any>[] }
}

const source = `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: "on", labels: { answer: "y" } }
spec:
  webhook: { e: { port: "12000", endpoint: /e, method: POST } }
`

test('render prints objects on stdout and what is not among them on stderr', () => {
  const { status, stderr, stdout, objects } = vedette(['render', '-'], source)
  assert.equal(status, 0)
  assert.match(stderr, /^# EventSource on: no EventBus default in the files; shown as on a native JetStream bus$/m)
  const [deployment] = objects()
  assert.equal(deployment!.kind, 'Deployment')
  assert.equal(deployment!.metadata.labels.answer, 'y')
  // kubectl reads YAML 1.1, where these are booleans
  assert.match(stdout, /answer: "y"/)
  assert.match(stdout, /eventsource-name: "on"/)
})

test('--nats-permissions: a user for each EventSource, as text and as JSON', () => {
  const text = vedette(['render', '--nats-permissions', '-'], source).stdout
  assert.match(text, /^\{ user: "default\/on", password: "<of EventSource on>"$/m)
  assert.match(text, /"default\.on\.e"/)
  assert.doesNotMatch(text, /snapshot|PURGE|DELETE|CONSUMER|UPDATE/)
  const [user] = JSON.parse(vedette(['render', '--nats-permissions', '--json', '-'], source).stdout)
  assert.equal(user.name, 'on')
  assert.ok(user.publish.includes('default.on.$term-default') && user.subscribe.includes('_INBOX.default/on.>'))
})

test('--kafka-acls: for each EventSource on Kafka, as commands and as JSON; of others it is said why not', () => {
  const bus = `---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default }
spec: { kafka: { url: "k:9092", topic: ev } }
`
  const both = source.replace('spec:\n', 'spec:\n  calendar: { tick: { interval: 1s } }\n') + bus
  assert.deepEqual(
    vedette(['render', '--kafka-acls', '-'], both)
      .stdout.trim()
      .split('\n')
      .map((line) => line.replace(/^kafka-acls\.sh --bootstrap-server "\$BROKERS" --add --allow-principal /, '')),
    [
      "'User:default/on' --operation Read --operation Write --topic 'ev'",
      "'User:default/on' --operation Read --operation Write --topic 'ev-vedette'",
      "'User:default/on' --operation Write --transactional-id 'ev-vedette/default/on'",
    ],
  )
  const [of] = JSON.parse(vedette(['render', '--kafka-acls', '--json', '-'], source + bus).stdout)
  // Only webhooks: no term.
  assert.deepEqual([of.name, of.topic, of.acls.length], ['on', 'ev', 2])
  const { stdout, stderr } = vedette(['render', '--kafka-acls', '-'], source)
  assert.deepEqual([stdout, stderr], ['', '# EventSource on: no EventBus default in the files\n'])
})

test('the same input gives the same bytes; --json is one List', () => {
  assert.equal(vedette(['render', '-'], source).stdout, vedette(['render', '-'], source).stdout)
  const list = JSON.parse(vedette(['render', '--json', '-'], source).stdout)
  assert.equal(list.kind, 'List')
  assert.equal(list.items[0].kind, 'Deployment')
})

test('mistakes are told with their place, exit 1', () => {
  const { status, stderr } = vedette(['render', '-'], source.replace('"12000"', 'abc'))
  assert.equal(status, 1)
  assert.match(stderr, /^<stdin>:6:\d+: error: spec\.webhook\.e\.port: failed to parse server port abc/m)
})

test('manifests: CRDs alone, or all of it with the names that are asked for', () => {
  assert.deepEqual(
    vedette(['manifests', '--crds'])
      .objects()
      .map(({ metadata }) => metadata.name),
    ['eventsources.argoproj.io', 'eventbus.argoproj.io', 'sensors.argoproj.io'],
  )
  const objects = vedette(['manifests', '--namespaced', '--namespace', 'team', '--image', 'r/v:1']).objects()
  const deployment = objects.find(({ kind }) => kind === 'Deployment')!
  assert.equal(deployment.metadata.namespace, 'team')
  const [container] = deployment.spec.template.spec.containers
  assert.equal(container.image, 'r/v:1')
  assert.ok(container.args.includes('--namespaced'))
  assert.equal(
    objects.some(({ kind }) => kind.startsWith('Cluster')),
    false,
  )
})

/** The examples of the types of AWS, StorageGRID, Slack and Stripe run as they stand, but for their ports and the queue's endpoint. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import slack from '../../src/sources/slack.ts'
import sns from '../../src/sources/sns.ts'
import sqs from '../../src/sources/sqs.ts'
import storageGrid from '../../src/sources/storageGrid.ts'
import stripe from '../../src/sources/stripe.ts'
import { without } from '../servers/cache.ts'
import { elasticmqJars, startElasticmq } from '../servers/elasticmq.ts'
import { makeQueue } from '../servers/sqs-queue.ts'
import { dataOf, startRig, waitFor } from './rig.ts'

const yamlOf = (definition: { examples: { yaml: string }[] }) => definition.examples[0]!.yaml

test('slack, sns, storageGrid and stripe: what is proven gets in, nothing else does', async (t) => {
  const types = { slack, sns, storageGrid, stripe }
  const rig = await startRig((ports) =>
    Object.values(types)
      .map((definition, i) => yamlOf(definition).replace(/port: "\d+"/, `port: "${ports[i]}"`))
      .join('---\n'),
  )
  t.after(() => rig.close(t))
  const post = async (type: keyof typeof types, path: string, body: string, headers: Record<string, string> = {}) => {
    const url = `http://127.0.0.1:${rig.ports[Object.keys(types).indexOf(type)]}${path}`
    return (await fetch(url, { method: 'POST', body, headers })).status
  }
  const mention = JSON.stringify({
    type: 'event_callback',
    token: 'change-me',
    event_id: 'Ev1',
    event: { type: 'app_mention', text: 'hello' },
  })
  const at = String(Math.floor(Date.now() / 1000))
  const signed = (secret: string) => ({
    'x-slack-request-timestamp': at,
    'x-slack-signature': `v0=${createHmac('sha256', secret).update(`v0:${at}:${mention}`).digest('hex')}`,
  })
  assert.equal(await post('slack', '/slack', mention, signed('change-me')), 200)
  assert.equal(await post('slack', '/slack', mention, signed('other')), 401)

  const TopicArn = 'arn:aws:sns:us-east-1:123456789012:orders'
  assert.equal(await post('sns', '/sns', JSON.stringify({ Type: 'Notification', MessageId: '1', TopicArn })), 400)

  const form = (key: string) =>
    new URLSearchParams({ Action: 'Publish', Message: JSON.stringify({ Records: [{ s3: { object: { key } } }] }) })
  const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
  assert.equal(await post('storageGrid', '/uploads', form('a.csv').toString(), FORM), 200)
  assert.equal(await post('storageGrid', '/uploads', form('a.txt').toString(), FORM), 200)

  // The endpoint is not made here: there is no such account.
  const refused = await post('stripe', '/stripe', JSON.stringify({ id: 'evt_1', type: 'charge.failed' }))
  assert.ok(refused === 503 || refused === 401, `${refused}`)

  assert.deepEqual(
    (await rig.lines()).map(({ subject }) => subject),
    ['default.chat.bot', 'default.objects.uploads'],
  )
})

test('sqs: a queue that is not there yet is waited for; then messages get onto the bus', {
  skip: without('ElasticMQ', elasticmqJars()),
}, async (t) => {
  const server = await startElasticmq()
  t.after(() => server.close())
  const rig = await startRig(() => yamlOf(sqs).replace('# endpoint: http://localhost:4566', `endpoint: ${server.url}`))
  t.after(() => rig.close(t))
  const error = async () => (await rig.status()).eventSources[0]!.entries[0]!.error
  await waitFor(async () => /failed to get the queue url for orders/.test((await error()) ?? ''), 20_000, 50)
  const queue = await makeQueue(server.url, 'orders')
  t.after(() => queue.close())
  // It says so until its first request for messages has been answered.
  await waitFor(async () => (await error()) === null, 90_000, 100)
  await queue.send(['a', 'b'])
  await waitFor(async () => (await rig.lines()).length === 2, 20_000, 200)
  assert.deepEqual((await rig.lines()).map((line) => dataOf(line).body.key).sort(), ['a', 'b'])
})

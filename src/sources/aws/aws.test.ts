import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import { GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs'
import { fakeClock } from '../../../test/fake-clock.ts'
import { awsClientConfig } from './aws.ts'

/** Remembers the access key ids and session tokens of requests; answers STS and SQS. */
async function startAws(t: TestContext) {
  const seen: { key: string | undefined; token: string | undefined; body: string }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const { authorization = '', 'x-amz-security-token': token } = request.headers
    seen.push({ key: /Credential=([^/]+)/.exec(authorization)?.[1], token: token as string | undefined, body })
    if (!body.includes('AssumeRole')) return response.end('{"QueueUrl":"http://q"}')
    const expiration = new Date(Date.now() + 3_600_000).toISOString()
    response.setHeader('content-type', 'text/xml')
    response.end(
      `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  return { seen, url: `http://127.0.0.1:${port}` }
}

const context = (secrets: Record<string, string>, clock = fakeClock(Date.now())) => ({
  clock,
  eventSource: 'es',
  entry: 'an entry',
  secret: async ({ key }: { key: string }) => secrets[key]!,
})
const selectors = { accessKey: { name: 's', key: 'id' }, secretKey: { name: 's', key: 'key' } }
const ask = async (config: ReturnType<typeof awsClientConfig>, times = 1) => {
  const client = new SQSClient(config)
  for (let i = 0; i < times; i++) await client.send(new GetQueueUrlCommand({ QueueName: 'q' }))
  client.destroy()
}

test('static keys and their session token; a rotated key is used once the old reading is half a minute old', async (t) => {
  const { seen, url } = await startAws(t)
  const secrets: Record<string, string> = { id: 'OLD', key: 's', token: 'session' }
  const access = { region: 'r', roleARN: '', endpoint: url, ...selectors, sessionToken: { name: 's', key: 'token' } }
  // The SDK renews what expires within five minutes: a reading that is 31 s old does.
  const clock = fakeClock(Date.now() - 31_000)
  const client = new SQSClient(awsClientConfig(access, context(secrets, clock), { answerMs: 5_000 }))
  t.after(() => client.destroy())
  await client.send(new GetQueueUrlCommand({ QueueName: 'q' }))
  assert.deepEqual([seen[0]!.key, seen[0]!.token], ['OLD', 'session'])
  secrets.id = 'NEW'
  await client.send(new GetQueueUrlCommand({ QueueName: 'q' }))
  await client.send(new GetQueueUrlCommand({ QueueName: 'q' }))
  assert.equal(seen[2]!.key, 'NEW')
})

test('a role is assumed with the default chain, once for many requests, and wins over static keys', async (t) => {
  const { seen, url } = await startAws(t)
  const before = { ...process.env }
  t.after(() => {
    process.env = before
  })
  Object.assign(process.env, { AWS_ENDPOINT_URL_STS: url, AWS_ACCESS_KEY_ID: 'AMBIENT', AWS_SECRET_ACCESS_KEY: 's' })
  const roleARN = 'arn:aws:iam::123456789012:role/reader'
  const access = { region: 'eu-west-1', roleARN, endpoint: url, ...selectors }
  await ask(awsClientConfig(access, context({}), { answerMs: 5_000 }), 3)
  assert.deepEqual(
    seen.map(({ key, token }) => [key, token]),
    [['AMBIENT', undefined], ...Array(3).fill(['ROLE', 't'])],
  )
  const asked = new URLSearchParams(seen[0]!.body)
  assert.deepEqual([asked.get('RoleArn'), asked.get('RoleSessionName')], [roleARN, 'vedette-es-an-entry'])
})

test('without fields the default chain is used', async (t) => {
  const { seen, url } = await startAws(t)
  const before = { ...process.env }
  t.after(() => {
    process.env = before
  })
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AMBIENT', AWS_SECRET_ACCESS_KEY: 's' })
  await ask(awsClientConfig({ region: 'r', roleARN: '', endpoint: url }, context({}), { answerMs: 5_000 }))
  assert.equal(seen[0]!.key, 'AMBIENT')
})

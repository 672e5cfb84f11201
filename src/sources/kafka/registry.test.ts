/** The schema registry: Apicurio, which has Confluent's API, and a server of ours for the answers that a healthy one does not give. */
import assert from 'node:assert/strict'
import { createServer as createHttp, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { makeCertificate } from '../../../test/certificate.ts'
import { type Apicurio, apicurioJar, startApicurio } from '../../../test/servers/apicurio.ts'
import { without } from '../../../test/servers/cache.ts'
import { type Clock, systemClock } from '../../core/clock.ts'
import { isVedetteError } from '../../core/errors.ts'
import { schemaRegistry } from './registry.ts'
import type { RegistrySpec } from './spec.ts'

type Answer = [status: number, body: unknown]

/** Answers with what it is told to, and keeps what it was asked. */
async function fakeRegistry(answer: (request: IncomingMessage) => Answer, tls?: { cert: string; key: string }) {
  const asked: IncomingMessage[] = []
  const listener: Parameters<typeof createHttp>[1] = (request, response) => {
    asked.push(request)
    const [status, body] = answer(request)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const server: Server = tls === undefined ? createHttp(listener) : createHttps(tls, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http${tls === undefined ? '' : 's'}://localhost:${(server.address() as AddressInfo).port}`, asked }
}

/** Pauses take a twentieth of their time. */
const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) }

function registryOf(spec: Partial<RegistrySpec> & { url: string }, secrets: Record<string, string> = {}) {
  const stop = new AbortController()
  after(() => stop.abort())
  const secret = async ({ name, key }: { name: string; key: string }) => {
    const value = secrets[`${name}/${key}`]
    if (value === undefined) throw new Error(`no secret ${name}/${key}`)
    return value
  }
  const registry = schemaRegistry({ secret, clock }, { schemaId: 0, ...spec }, stop.signal)
  return {
    registry,
    stop,
    /** The body, however long it takes. */
    async body(value: Uint8Array): Promise<string> {
      for (;;) {
        const found = registry.decoderOf(value)
        if (!(found instanceof Promise)) return found(value)
        await found
      }
    },
  }
}

const value = (id: number, hex: string) => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(id, 1)
  return Buffer.concat([head, Buffer.from(hex, 'hex')])
}
const until = async (condition: () => boolean) => {
  while (!condition()) await systemClock.sleep(20)
}
const invalid = (text: RegExp) => (error: unknown) =>
  isVedetteError(error, 'EVENT_INVALID') && text.test((error as Error).message)
const STRING: Answer = [200, { schema: '"string"' }]

const skip = without('Apicurio', apicurioJar())
let server: Promise<Apicurio> | null = null
const apicurio = (): Promise<Apicurio> => {
  server ??= startApicurio()
  return server
}
after(async () => (await server)?.close())

test('Apicurio: schemas by their id, with those that they refer to; an id that it does not have', {
  skip,
}, async () => {
  const { url, register } = await apicurio()
  const city = await register('city', {
    schema: '{"type":"record","name":"City","fields":[{"name":"n","type":"string"}]}',
  })
  const home = await register('home', {
    schema:
      '{"type":"record","name":"Home","fields":[{"name":"in","type":["null","City"]},{"name":"also","type":"City"}]}',
    references: [{ name: 'City', subject: 'city', version: 1 }],
  })
  const json = await register('json', {
    schema: '{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}',
    schemaType: 'JSON',
  })
  const { body } = registryOf({ url: `${url}/` })
  assert.equal(await body(value(city, '044142')), '{"n":"AB"}')
  assert.equal(await body(value(home, '0202410242')), '{"in":{"City":{"n":"A"}},"also":{"n":"B"}}')
  await assert.rejects(body(value(json, '00')), invalid(/is JSON; only Avro is read/))
  await assert.rejects(body(value(4711, '00')), invalid(/the registry has no schema 4711/))
})

test('values without the head of the wire format are no events, and nobody is asked', async () => {
  const { url, asked } = await fakeRegistry(() => STRING)
  const { body } = registryOf({ url })
  for (const bytes of ['', '00', '00000000', '7b7d000000', '0100000001'])
    await assert.rejects(body(Buffer.from(bytes, 'hex')), invalid(/no Avro with the id of a schema/))
  assert.equal(asked.length, 0)
})

test('a schema is asked for once; user and password are sent, from Secrets or from the URL', async () => {
  const { url, asked } = await fakeRegistry(() => STRING)
  const secrets = { 's/user': 'ann', 's/password': 'p:w' }
  const auth = { username: { name: 's', key: 'user' }, password: { name: 's', key: 'password' } }
  const { body } = registryOf({ url: `${url}/base/`, auth }, secrets)
  assert.deepEqual(await Promise.all([body(value(7, '0261')), body(value(7, '0262')), body(value(7, '0263'))]), [
    '"a"',
    '"b"',
    '"c"',
  ])
  assert.deepEqual(
    asked.map(({ url: path, headers }) => [path, headers.authorization]),
    [['/base/schemas/ids/7', `Basic ${btoa('ann:p:w')}`]],
  )
  await registryOf({ url: url.replace('//', '//bob:s%40p@') }).body(value(7, '0261'))
  assert.equal(asked.at(-1)!.headers.authorization, `Basic ${btoa('bob:s@p')}`)
  await registryOf({ url }).body(value(7, '0261'))
  assert.equal(asked.at(-1)!.headers.authorization, undefined)
})

test('trouble of the registry is waited out and shown since when; it is never the end of a message', async () => {
  const answers: Answer[] = [
    [500, { error_code: 50001, message: 'the store is down' }],
    [401, { error_code: 40101, message: 'Unauthorized' }],
    [404, 'no such page'],
    [200, 'hello'],
    [404, { error_code: 40403, message: 'Schema 7 not found' }],
    STRING,
  ]
  const troubles = new Set<string>()
  const { url, asked } = await fakeRegistry(() => {
    troubles.add(registry.trouble() ?? 'none')
    return answers[asked.length - 1] ?? STRING
  })
  const { registry, body } = registryOf({ url: url.replace('//', '//bob:secret@') })
  assert.equal(await body(value(7, '0261')), '"a"')
  assert.equal(registry.trouble(), null)
  const [none, ...shown] = troubles
  assert.equal(none, 'none')
  assert.equal(new Set(shown.map((text) => text.match(/messages with schema 7 wait since (\S+Z)$/)![1])).size, 1)
  assert.match(
    shown.join('\n'),
    /answered 500: the store is down;.*\n.*401: Unauthorized \(are the user.*\n.*404 \(does.*\n.*has no schema.*\n.*404: Schema 7/,
  )
  assert.doesNotMatch(shown.join('\n'), /secret/)
})

test('an id that the registry denies for good is no event; it is asked about once, not for each message', async () => {
  const { url, asked } = await fakeRegistry(() => [404, { error_code: 40403, message: 'Schema not found' }])
  const { registry, body } = registryOf({ url })
  await assert.rejects(body(value(7, '00')), invalid(/no schema 7/))
  await assert.rejects(body(value(7, '01')), invalid(/no schema 7/))
  assert.equal(asked.length, 3)
  assert.equal(registry.trouble(), null)
})

test('what is no schema of Avro is no event', async () => {
  const references = [{ name: 'a', subject: 'a/b', version: 2 }]
  const { url, asked } = await fakeRegistry(({ url: path }) => {
    if (path!.endsWith('/1')) return [200, { schema: 'syntax = "proto3";', schemaType: 'PROTOBUF' }]
    if (path!.endsWith('/2')) return [200, { schema: '{"type":"record","name":"a"}' }]
    // One that refers to itself.
    return [200, { schema: '"string"', references }]
  })
  const { body } = registryOf({ url })
  await assert.rejects(body(value(1, '00')), invalid(/schema 1 is PROTOBUF; only Avro is read/))
  await assert.rejects(body(value(2, '00')), invalid(/schema 2: its schema is no Avro schema/))
  assert.equal(await body(value(3, '0261')), '"a"')
  assert.equal(asked.at(-1)!.url, '/subjects/a%2Fb/versions/2?deleted=true')
})

test("an https registry is verified: by the system's authorities, by those of schemaRegistry.tls, or not at all", async () => {
  const { cert, key } = makeCertificate()
  const { url } = await fakeRegistry(() => STRING, { cert, key })
  const { registry, stop } = registryOf({ url })
  const waiting = registry.decoderOf(value(7, '0261'))
  await until(() => registry.trouble() !== null)
  assert.match(
    registry.trouble()!,
    /self-signed certificate.* \(name its authority in schemaRegistry\.tls\.caCertSecret\)/,
  )
  stop.abort()
  await waiting
  const tls = { insecureSkipVerify: false, enabled: false }
  const ca = registryOf({ url, tls: { ...tls, caCertSecret: { name: 's', key: 'ca' } } }, { 's/ca': cert })
  assert.equal(await ca.body(value(7, '0261')), '"a"')
  assert.equal(await registryOf({ url, tls: { ...tls, insecureSkipVerify: true } }).body(value(7, '0261')), '"a"')
})

/** What identifies a request to the type `webhook`: CloudEvents in their three modes, and the keys that senders choose. */
import { createHmac } from 'node:crypto'
import webhook from '../../src/sources/webhook.ts'
import { identityContract, type Pair, type Sent } from './identity.ts'

const context = (port: number) => ({ endpoint: '/e', port: String(port), method: 'POST' })
const selector = (key: string) => ({ name: 's', key })

/** A request with a header more or another one. */
const sent = (headers: Record<string, string>, body = '{"n":1}', start = 'POST /e'): Sent => ({ headers, body, start })

const CE = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/orders', 'ce-type': 'made' }
const binary: Pair[] = [
  ['the same again', 'one', sent(CE), sent(CE)],
  ['another source', 'two', sent(CE), sent({ ...CE, 'ce-source': '/bills' })],
  ['another type', 'two', sent(CE), sent({ ...CE, 'ce-type': 'paid' })],
  ['another id', 'two', sent(CE), sent({ ...CE, 'ce-id': '2' })],
  ['another subject', 'two', sent(CE), sent({ ...CE, 'ce-subject': 'tea' })],
  ['other data', 'two', sent(CE), sent(CE, '{"n":2}')],
  [
    'another time and trace, as attempts have them',
    'one',
    sent({ ...CE, 'ce-time': '2026-11-30T10:00:00Z', traceparent: '00-1-1-01', 'ce-traceparent': '00-1-1-01' }),
    sent({ ...CE, 'ce-time': '2026-11-30T10:00:01Z', traceparent: '00-1-2-01', 'ce-traceparent': '00-1-2-01' }),
  ],
  ['an id without a source', 'one', sent({ 'ce-id': '1' }), sent({ 'ce-id': '1' })],
  ['an id without a source, and one with', 'two', sent({ 'ce-id': '1' }), sent(CE)],
  ['a source without an id', 'nameless', sent({ 'ce-source': '/orders' }), sent({ 'ce-source': '/orders' })],
  // What of two texts ends where the other begins.
  [
    'source and type that read the same together',
    'two',
    sent({ ...CE, 'ce-source': '/a', 'ce-type': 'b/c' }),
    sent({ ...CE, 'ce-source': '/a/b', 'ce-type': 'c' }),
  ],
]
identityContract(webhook, { name: 'binary CloudEvents', spec: context }, binary)

const EVENT = { specversion: '1.0', id: '1', source: '/orders', type: 'made', data: { n: 1 } }
type Event = Record<string, unknown>
const structured = (event: Event, more: Record<string, string> = {}): Sent =>
  sent({ 'Content-Type': 'application/cloudevents+json; charset=utf-8', ...more }, JSON.stringify(event))
identityContract(webhook, { name: 'structured CloudEvents', spec: context }, [
  ['the same again', 'one', structured(EVENT), structured(EVENT)],
  [
    'members in another order',
    'one',
    structured(EVENT),
    structured(Object.fromEntries(Object.entries(EVENT).reverse())),
  ],
  [
    'another time and trace, as attempts have them',
    'one',
    structured({ ...EVENT, time: '2026-11-30T10:00:00Z', traceparent: '00-1-1-01' }),
    structured({ ...EVENT, time: '2026-11-30T10:00:01Z', traceparent: '00-1-2-01' }),
  ],
  [
    'other capitals of the media type',
    'one',
    structured(EVENT),
    structured(EVENT, { 'Content-Type': 'Application/CloudEvents+JSON' }),
  ],
  ['another source', 'two', structured(EVENT), structured({ ...EVENT, source: '/bills' })],
  ['another type', 'two', structured(EVENT), structured({ ...EVENT, type: 'paid' })],
  ['another id', 'two', structured(EVENT), structured({ ...EVENT, id: '2' })],
  ['another subject', 'two', structured(EVENT), structured({ ...EVENT, subject: 'tea' })],
  ['other data', 'two', structured(EVENT), structured({ ...EVENT, data: { n: 2 } })],
  ['large numbers that a float cannot tell apart', 'two', ...numbers('9007199254740992', '9007199254740993')],
  [
    'bytes, and a text of the same letters',
    'two',
    structured({ ...EVENT, data: 'QQ==' }),
    structured({ ...EVENT, data: undefined, data_base64: 'QQ==' }),
  ],
  ['no id', 'nameless', structured({ ...EVENT, id: undefined }), structured({ ...EVENT, id: undefined })],
  ['an empty id', 'nameless', structured({ ...EVENT, id: '' }), structured({ ...EVENT, id: '' })],
  ['no object', 'nameless', ...twice(sent({ 'Content-Type': 'application/cloudevents+json' }, '[1]'))],
  ['JSON that is no CloudEvent by its media type', 'nameless', ...twice(sent({}, JSON.stringify(EVENT)))],
])

const batch = (...events: unknown[]): Sent =>
  sent({ 'Content-Type': 'application/cloudevents-batch+json' }, JSON.stringify(events))
const SECOND = { ...EVENT, id: '2' }
identityContract(webhook, { name: 'batched CloudEvents', spec: context }, [
  ['the same again', 'one', batch(EVENT, SECOND), batch(EVENT, SECOND)],
  ['the same in another order', 'one', batch(EVENT, SECOND), batch(SECOND, EVENT)],
  ['one more', 'two', batch(EVENT), batch(EVENT, SECOND)],
  ['one twice', 'two', batch(EVENT), batch(EVENT, EVENT)],
  ['another source of one', 'two', batch(EVENT, SECOND), batch(EVENT, { ...SECOND, source: '/bills' })],
  ['another type of one', 'two', batch(EVENT, SECOND), batch(EVENT, { ...SECOND, type: 'paid' })],
  ['other data of one', 'two', batch(EVENT, SECOND), batch(EVENT, { ...SECOND, data: null })],
  ['sources exchanged', 'two', ...exchanged('source', '/orders', '/bills')],
  ['an event alone, and in a batch', 'two', structured(EVENT), batch(EVENT)],
  [
    'one without an id',
    'nameless',
    batch(EVENT, { ...EVENT, id: undefined }),
    batch(EVENT, { ...EVENT, id: undefined }),
  ],
  ['one that is no object', 'nameless', batch(EVENT, 1), batch(EVENT, 1)],
  ['empty', 'nameless', batch(), batch()],
])

function twice(one: Sent): [Sent, Sent] {
  return [one, one]
}
function numbers(...each: [string, string]): [Sent, Sent] {
  return each.map((n) => {
    const one = structured(EVENT)
    return { ...one, body: one.body!.replace('{"n":1}', `{"n":${n}}`) }
  }) as [Sent, Sent]
}
function exchanged(member: string, a: string, b: string): [Sent, Sent] {
  return [
    batch({ ...EVENT, [member]: a }, { ...SECOND, [member]: b }),
    batch({ ...EVENT, [member]: b }, { ...SECOND, [member]: a }),
  ]
}

const KEY = { 'Idempotency-Key': '1' }
identityContract(webhook, { name: 'Idempotency-Key', spec: (port) => ({ ...context(port), endpoint: '/{tenant}' }) }, [
  ['the same again', 'one', sent(KEY), sent({ ...KEY, 'X-Attempt': '2' })],
  ['another body', 'two', sent(KEY), sent(KEY, '{"n":2}')],
  ['another path', 'two', sent(KEY), sent(KEY, '{"n":1}', 'POST /f')],
  ['another query', 'two', sent(KEY, '{}', 'POST /e?tenant=a'), sent(KEY, '{}', 'POST /e?tenant=b')],
  ['another source of a CloudEvent', 'two', sent({ ...CE, ...KEY }), sent({ ...CE, ...KEY, 'ce-source': '/bills' })],
  ['another type of a CloudEvent', 'two', sent({ ...CE, ...KEY }), sent({ ...CE, ...KEY, 'ce-type': 'paid' })],
  [
    'another id of a CloudEvent, made anew for each attempt',
    'one',
    sent({ ...CE, ...KEY }),
    sent({ ...CE, ...KEY, 'ce-id': '2' }),
  ],
  ['without a key', 'nameless', sent({}), sent({})],
])
identityContract(webhook, { name: 'Standard Webhooks', spec: context }, [
  ['the same again, at another time', 'one', ...at('webhook', '1', '1')],
  ['another id', 'two', ...at('webhook', '1', '2')],
  ['the same again, by Svix’s own names', 'one', ...at('svix', '1', '1')],
  ['another id, by Svix’s own names', 'two', ...at('svix', '1', '2')],
  [
    'another source of a CloudEvent',
    'two',
    sent({ ...CE, 'webhook-id': '1' }),
    sent({ ...CE, 'webhook-id': '1', 'ce-source': '/b' }),
  ],
])
function at(prefix: string, ...ids: [string, string]): [Sent, Sent] {
  return ids.map((id, n) => sent({ [`${prefix}-id`]: id, [`${prefix}-timestamp`]: String(1_700_000_000 + n) })) as [
    Sent,
    Sent,
  ]
}

// Two tenants, each with a token or secret of its own, may both call their message 1.
const bearer = (token: string) => ({ ...KEY, Authorization: `Bearer ${token}` })
identityContract(
  webhook,
  {
    name: 'tokens',
    spec: (port) => ({ ...context(port), authSecret: selector('tokens') }),
    secrets: { tokens: 'a\nb' },
  },
  [
    ['the same again', 'one', sent(bearer('b')), sent(bearer('b'))],
    ['by another token', 'two', sent(bearer('a')), sent(bearer('b'))],
  ],
)
const hmac = (secret: string, body = '{"n":1}') => ({
  ...KEY,
  'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
})
identityContract(
  webhook,
  {
    name: 'signatures',
    spec: (port) => ({ ...context(port), signature: { secret: selector('secrets'), scheme: 'hmac-sha256' } }),
    secrets: { secrets: 'a\nb' },
  },
  [
    ['the same again', 'one', sent(hmac('b')), sent(hmac('b'))],
    ['by another secret', 'two', sent(hmac('a')), sent(hmac('b'))],
  ],
)

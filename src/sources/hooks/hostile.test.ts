/** Seeded fuzz of everything that reads what a stranger sends: errors are answers, never crashes, and nothing unproven gets in. */

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { FULL } from '../../../test/full.ts'
import { isVedetteError } from '../../core/errors.ts'
import { checkHubSignature, checkStandardWebhook, checkTime } from '../../source/signature.ts'
import type { HttpRequest } from '../../source.ts'
import { bodyOfChange, movesBranch, parsePush, withChanges } from '../bitbucketserver/refs-changed.ts'
import { githubBody } from '../github/body.ts'
import { waitAsked } from '../http/rest.ts'
import { deliveryId, jsonBody } from './request.ts'

/** For each of the six; in full a million in all. */
const runs = FULL ? 170_000 : 2_000
const seed = Number(process.env.VEDETTE_SEED ?? 20261124)
/** Of processor time for one input; whatever takes that long grows faster than its input. */
const SLOWEST_US = 1_000_000

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const nearlyJson = fc
  .array(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '1',
      '-',
      'e',
      '.',
      'null',
      'true',
      '"a"',
      '"__proto__"',
      '\\',
      '\\u00',
      ' ',
      '\u2028',
      '"changes"',
      '"ref"',
    ),
    { maxLength: 40 },
  )
  .map((parts) => Buffer.from(parts.join('')))
const json = fc.json({ maxDepth: 6 }).map((text) => Buffer.from(text))
const pushLike = fc
  .record(
    {
      changes: fc.anything({ maxDepth: 3 }),
      actor: fc.anything({ maxDepth: 2 }),
      repository: fc.anything({ maxDepth: 3 }),
      eventKey: fc.anything({ maxDepth: 1 }),
    },
    { requiredKeys: [] },
  )
  .map((value) => {
    try {
      return Buffer.from(
        JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? String(member) : member)) ?? '',
      )
    } catch {
      return Buffer.from('')
    }
  })
const body = fc.oneof(bytes, nearlyJson, json, pushLike)
const headerText = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(fc.constantFrom('sha256', 'sha1', '=', 'v1', ',', ' ', 'ab', 'AB', 'zz', '/', '+', '==', '0'), {
      maxLength: 30,
    })
    .map((parts) => parts.join('')),
)

const property = (name: string, arbitrary: fc.Arbitrary<any>[], check: (...values: any[]) => void) =>
  test(name, () => {
    fc.assert(
      fc.property(fc.tuple(...arbitrary), (values) => {
        const started = process.cpuUsage()
        check(...values)
        assert.ok(process.cpuUsage(started).user < SLOWEST_US)
      }),
      { seed, numRuns: runs },
    )
  })

/** The value of `work`, or null when it refused its input as it should. */
function orRefused<T>(work: () => T): T | null {
  try {
    return work()
  } catch (error) {
    assert.ok(isVedetteError(error, 'EVENT_INVALID'), String(error))
    return null
  }
}

const request = (body: Buffer, headers: Record<string, string>): HttpRequest => ({
  method: 'POST',
  url: new URL('http://h/e'),
  headers: {},
  header: (name) => headers[name.toLowerCase()],
  body,
  params: {},
  proved() {},
})

property(
  'the body of a GitHub delivery is a JSON object, or refused',
  [body, fc.boolean(), headerText],
  (sent, form, event) => {
    const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
    const raw = form ? Buffer.from(`payload=${encodeURIComponent(sent.toString('latin1'))}`) : sent
    const found = orRefused(() => githubBody(request(raw, { 'content-type': type, 'x-github-event': event })))
    if (found === null) return
    const object = JSON.parse(Buffer.from(found).toString())
    assert.equal(object['X-GitHub-Delivery'], '')
    assert.equal(Object.getPrototypeOf(object), Object.prototype)
  },
)

property('a raw body is JSON, or refused', [body], (sent) => {
  const found = orRefused(() => jsonBody(sent))
  if (found !== null) JSON.parse(Buffer.from(found).toString())
})

property('a push gives events that are JSON, or is refused', [body], (sent) => {
  const push = orRefused(() => parsePush(sent))
  if (push === null) return
  JSON.parse(withChanges(push, push.changes.filter(movesBranch)).toString())
  for (const change of push.changes) {
    const found = orRefused<Buffer>((): Buffer => bodyOfChange(push, change))
    if (found !== null) assert.equal(JSON.parse(found.toString()).changes.length, 1)
  }
})

property(
  'no signature that was made up is accepted, and the right one always is',
  [body, headerText, headerText],
  (sent, header, secret) => {
    if (secret === '') return
    const right = createHmac('sha256', secret).update(sent).digest('hex')
    const accepted = checkHubSignature(header, sent, [secret]) === null
    assert.equal(accepted, header.toLowerCase() === `sha256=${right}` && header.startsWith('sha256='))
    assert.equal(checkHubSignature(`sha256=${right}`, sent, ['other', secret]), null)
  },
)

property(
  'Standard Webhooks: the same',
  [body, headerText, headerText, headerText, headerText],
  (sent, id, time, signature, secret) => {
    const headers = { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature }
    assert.notEqual(checkStandardWebhook(request(sent, headers), [secret], 1e12), null)
    if (id === '') return
    const key = Buffer.from('0123456789abcdef')
    const right = createHmac('sha256', key).update(`${id}.1000000000.`).update(sent).digest('base64')
    const good = {
      'webhook-id': id,
      'webhook-timestamp': '1000000000',
      'webhook-signature': `${signature.slice(0, 5)} v1,${right}`,
    }
    assert.equal(checkStandardWebhook(request(sent, good), [key.toString('base64')], 1e12), null)
  },
)

property('times, waits and ids of any text', [headerText, headerText, body], (text, other, sent) => {
  checkTime(text, 1e12)
  const headers: Record<string, string> = {
    'retry-after': text,
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': other,
  }
  assert.ok(waitAsked((name: string): string | undefined => headers[name], 1e12) >= 0)
  const id = deliveryId(text, sent)
  if (text === '') assert.equal(id, undefined)
  else assert.match(id!, /^[\x21-\x7e]{34,200}$/)
})

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { suite, type TestContext, test } from 'node:test'
import { mutations } from '../../test/fuzz.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { fail } from '../core/errors.ts'
import { checkSlackSignature } from '../source/signature.ts'
import { outerOf, slackPayloads } from './slack/payload.ts'
import { EVENTS, STRUCTS } from './slack/types.ts'
import slack from './slack.ts'

const SECRET = '8f742231b10e8888abcd99yyyzzz85a5'
const TOKEN = 'Jhj5dZrVaK7ZwHHjRyZWjbDl'
const seconds = (aheadS = 0) => String(Math.floor(Date.now() / 1000) + aheadS)
const sign = (body: string | Buffer, at: string, secret = SECRET) =>
  `v0=${createHmac('sha256', secret).update(`v0:${at}:`).update(body).digest('hex')}`

const serve = async (
  t: TestContext,
  more: object = {},
  secrets: Record<string, string> = {},
): Promise<ServedSource> => {
  const served = await serveHttpSource(
    slack,
    (port) => ({
      webhook: { endpoint: '/e', port: String(port) },
      token: { name: 's', key: 'token' },
      signingSecret: { name: 's', key: 'secret' },
      ...more,
    }),
    { secrets: { 's/token': TOKEN, 's/secret': SECRET, ...secrets } },
  )
  t.after(() => served.close())
  return served
}
const post = (served: ServedSource, body: string | Buffer, headers: Record<string, string> = {}) => {
  const at = headers['X-Slack-Request-Timestamp'] ?? seconds()
  return served.send(
    'POST /e',
    {
      'Content-Type': 'application/json',
      'X-Slack-Request-Timestamp': at,
      'X-Slack-Signature': sign(body, at),
      ...headers,
    },
    body,
  )
}
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const callback = (event: unknown, more: object = {}) =>
  JSON.stringify({ token: TOKEN, team_id: 'T1', type: 'event_callback', event_id: 'Ev1', event, ...more })

suite('payloads', () => {
  test('an event: slack-go’s struct, byte for byte', async (t) => {
    const served = await serve(t)
    const reply = await post(
      served,
      callback({ type: 'app_mention', user: 'U1', text: 'hi', ts: '1.2', channel: 'C1', event_ts: '1.2', unknown: 1 }),
    )
    assert.deepEqual([reply.status, reply.body], [200, 'success'])
    assert.deepEqual(served.events(), [
      '{"type":"app_mention","Data":{"type":"app_mention","user":"U1","text":"hi","ts":"1.2","thread_ts":"","channel":"C1","event_ts":"1.2","blocks":null}}',
    ])
  })

  test('a message has a copy of itself; a changed one has the message that Slack put there', async (t) => {
    const served = await serve(t, { metadata: { m: '1' } })
    await post(
      served,
      callback({ type: 'message', text: 'a', user: 'U', ts: '1', channel: 'C', event_ts: '1', channel_type: 'im' }),
    )
    await post(
      served,
      callback(
        { type: 'message', subtype: 'message_changed', channel: 'C', message: { text: 'b', edited: { user: 'U' } } },
        { event_id: 'Ev2' },
      ),
    )
    assert.deepEqual(served.events(), [
      '{"type":"message","Data":{"client_msg_id":"","type":"message","user":"U","text":"a","blocks":null,"thread_ts":"","ts":"1","channel":"C","channel_type":"im","event_ts":"1","message":{"type":"message","channel":"C","user":"U","text":"a","ts":"1","event_ts":"1","replace_original":false,"delete_original":false,"metadata":{"event_type":"","event_payload":null},"blocks":null}},"metadata":{"m":"1"}}',
      '{"type":"message","Data":{"client_msg_id":"","type":"message","user":"","text":"","blocks":null,"thread_ts":"","ts":"","channel":"C","channel_type":"","event_ts":"","message":{"text":"b","edited":{"user":"U"},"replace_original":false,"delete_original":false,"metadata":{"event_type":"","event_payload":null},"blocks":null},"subtype":"message_changed"},"metadata":{"m":"1"}}',
    ])
  })

  test('a slash command, in the fixed order', async (t) => {
    const served = await serve(t)
    const command =
      'token=zz&team_id=T&team_domain=d&channel_id=C&channel_name=c&user_id=U&user_name=u&command=%2Fw&text=94070&response_url=https%3A%2F%2Fx&trigger_id=1&api_app_id=A'
    assert.equal((await post(served, command, FORM)).status, 200)
    const more = `${command}&enterprise_id=E&enterprise_name=%C3%A9&is_enterprise_install=true`
    assert.equal(
      (await post(served, more, { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' })).status,
      200,
    )
    assert.deepEqual(served.events(), [
      '{"token":"zz","team_id":"T","team_domain":"d","is_enterprise_install":false,"channel_id":"C","channel_name":"c","user_id":"U","user_name":"u","command":"/w","text":"94070","response_url":"https://x","trigger_id":"1","api_app_id":"A"}',
      '{"token":"zz","team_id":"T","team_domain":"d","enterprise_id":"E","enterprise_name":"é","is_enterprise_install":true,"channel_id":"C","channel_name":"c","user_id":"U","user_name":"u","command":"/w","text":"94070","response_url":"https://x","trigger_id":"1","api_app_id":"A"}',
    ])
  })

  test('an interaction has all of its members, its state last', async (t) => {
    const served = await serve(t)
    const interact = async (payload: object) => {
      const reply = await post(served, new URLSearchParams({ payload: JSON.stringify(payload) }).toString(), FORM)
      assert.equal(reply.status, 200, reply.body)
      return served.events().at(-1)!
    }
    const names = STRUCTS.Interaction!.split('; ').map((field) => field.split(/\??: /)[0]!)
    const button = await interact({
      type: 'block_actions',
      trigger_id: '1.2',
      actions: [
        { name: 'old', type: 'button', text: 't' },
        { block_id: 'b', action_id: 'a', type: 'button', value: 'v' },
      ],
      state: { values: { b: { a: { type: 'x' } } } },
      container: { type: 'message', attachment_id: 1 },
    })
    const parsed = JSON.parse(button)
    assert.deepEqual(
      Object.keys(parsed),
      names.filter((name) => name !== 'response_urls'),
    )
    assert.ok(
      button.startsWith(
        '{"type":"block_actions","token":"","callback_id":"","response_url":"","trigger_id":"1.2","action_ts":"","team":{"id":"","name":"","domain":""},',
      ),
    )
    assert.deepEqual(Object.keys(parsed.actions[0]), ['name', 'text', 'type'])
    assert.equal(parsed.actions[1].value, 'v')
    assert.equal(parsed.state.values.b.a.type, 'x')
    assert.match(button, /"container":\{"type":"message","view_id":"","message_ts":"","attachment_id":1,/)
    assert.ok((await interact({ type: 'block_actions', trigger_id: '1.3' })).endsWith('"is_cleared":false,"state":{}}'))
    assert.ok(
      (await interact({ type: 'dialog_submission', trigger_id: '1.4', state: 'x', submission: { a: 'b' } })).endsWith(
        ',"submission":{"a":"b"},"hash":"","is_cleared":false,"state":"x"}',
      ),
    )
    assert.ok((await interact({ type: 'shortcut', trigger_id: '1.5' })).endsWith('"is_cleared":false}'))
  })

  test('events of unknown types and their blocks are passed on as sent', async (t) => {
    const served = await serve(t)
    await post(served, callback({ type: 'brand_new', b: 1.0, a: [{ x: '<' }] }))
    assert.deepEqual(served.events(), ['{"type":"brand_new","Data":{"type":"brand_new","b":1,"a":[{"x":"\\u003c"}]}}'])
  })

  test('every type of the tables can be encoded from nothing', () => {
    const { event } = slackPayloads()
    for (const type of Object.keys(EVENTS)) {
      const outer = { type: '', challenge: '', token: '', eventId: '1', app: '', team: '' }
      const { data } = event({ ...outer, event: `{"type":"${type}"}` })
      const { Data } = JSON.parse(data)
      const always = EVENTS[type]!.split('; ')
        .filter((field) => !/^\w+\?/.test(field))
        .map((field) => field.split(':')[0])
      for (const name of always) assert.ok(Object.hasOwn(Data, name!), `${type}.${name}`)
    }
  })
})

suite('proof', () => {
  test('Slack’s own example is right', () => {
    const body = Buffer.from(
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
    )
    const headers: Record<string, string> = {
      'X-Slack-Request-Timestamp': '1531420618',
      'X-Slack-Signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    }
    const request = { body, header: (name: string) => headers[name] }
    assert.equal(checkSlackSignature(request, [SECRET], 1531420618_000), null)
    assert.equal(checkSlackSignature(request, ['other', SECRET], 1531420618_000 + 299_000), null)
    assert.notEqual(checkSlackSignature(request, [SECRET], 1531420618_000 + 301_000), null)
    assert.notEqual(checkSlackSignature(request, ['other'], 1531420618_000), null)
  })

  test('good and bad ones; what is refused learns nothing', async (t) => {
    const served = await serve(t)
    const body = callback({ type: 'app_mention', text: 'ünï 日本 \u0000' })
    const now = seconds()
    const right = sign(body, now)
    const good: Record<string, string>[] = [
      {},
      { 'X-Slack-Signature': right.slice(3), 'X-Slack-Request-Timestamp': now },
      { 'X-Slack-Signature': `v0=${right.slice(3).toUpperCase()}`, 'X-Slack-Request-Timestamp': now },
      { 'X-Slack-Request-Timestamp': seconds(-290) },
      { 'X-Slack-Request-Timestamp': seconds(290) },
    ]
    for (const headers of good) assert.equal((await post(served, body, headers)).status, 200, JSON.stringify(headers))
    assert.equal(served.events().length, good.length)
    const bad: Record<string, string>[] = [
      { 'X-Slack-Signature': '' },
      { 'X-Slack-Request-Timestamp': '' },
      { 'X-Slack-Signature': 'v0=zz' },
      { 'X-Slack-Signature': 'v0=' },
      { 'X-Slack-Signature': sign(body, now, 'wrong'), 'X-Slack-Request-Timestamp': now },
      { 'X-Slack-Signature': right.slice(0, -2), 'X-Slack-Request-Timestamp': now },
      { 'X-Slack-Signature': right.replace('v0=', 'v1='), 'X-Slack-Request-Timestamp': now },
      { 'X-Slack-Signature': right.replace('v0=', 'V0='), 'X-Slack-Request-Timestamp': now },
      { 'X-Slack-Request-Timestamp': 'abc' },
      { 'X-Slack-Request-Timestamp': '-1' },
      { 'X-Slack-Request-Timestamp': seconds(-310) },
      { 'X-Slack-Request-Timestamp': seconds(310) },
      { 'X-Slack-Request-Timestamp': `${now}000` },
      { 'X-Slack-Signature': right, 'X-Slack-Request-Timestamp': seconds(1) },
    ]
    for (const headers of bad) {
      const reply = await post(served, body, headers)
      assert.deepEqual([reply.status, reply.body], [401, 'signature validation failed'], JSON.stringify(headers))
    }
    const tampered = await post(served, `${body} `, { 'X-Slack-Signature': right, 'X-Slack-Request-Timestamp': now })
    assert.equal(tampered.status, 401)
    assert.equal(served.events().length, good.length)
  })

  test('the body in chunks is the same body', async (t) => {
    const served = await serve(t)
    const [body, at] = [callback({ type: 'app_mention' }), seconds()]
    const reply = await fetch(`http://127.0.0.1:${served.port}/e`, {
      method: 'POST',
      headers: { 'X-Slack-Request-Timestamp': at, 'X-Slack-Signature': sign(body, at), Connection: 'close' },
      body: ReadableStream.from([body.slice(0, 7), body.slice(7)].map((part) => Buffer.from(part))),
      duplex: 'half',
    } as RequestInit)
    assert.equal(reply.status, 200)
  })

  test('several secrets are accepted; none at all is no open door', async (t) => {
    const rotated = await serve(t, {}, { 's/secret': `new\n${SECRET}` })
    assert.equal((await post(rotated, callback({ type: 'app_mention' }))).status, 200)
    const [body, at] = [callback({ type: 'app_mention' }), seconds()]
    const signedNew = { 'X-Slack-Request-Timestamp': at, 'X-Slack-Signature': sign(body, at, 'new') }
    assert.equal((await post(rotated, body, signedNew)).status, 200)
    const empty = await serve(t, {}, { 's/secret': '' })
    assert.equal((await post(empty, body, { ...signedNew, 'X-Slack-Signature': sign(body, at, '') })).status, 503)
    assert.match(empty.harness.conditions[0]!, /nothing under secret/)
    assert.deepEqual(empty.events(), [])
  })

  test('the token of events is compared; forms need none', async (t) => {
    const served = await serve(t)
    for (const token of ['', 'wrong', undefined, 7]) {
      const reply = await post(served, callback({ type: 'app_mention' }, { token }))
      assert.deepEqual([reply.status, reply.body], [401, 'signature validation failed'])
    }
    assert.equal((await post(served, JSON.stringify({ type: 'url_verification', challenge: 'x' }))).status, 401)
    assert.equal((await post(served, 'command=%2Fw&trigger_id=1', FORM)).status, 200)
  })
})

test('a form is answered without a word: of a body the user would read it, and a modal takes it for a mistake', async (t) => {
  const served = await serve(t)
  const submission = encodeURIComponent(
    JSON.stringify({ type: 'view_submission', trigger_id: 't1', view: { id: 'V1' } }),
  )
  for (const form of ['command=%2Fdeploy&trigger_id=1', `payload=${submission}`]) {
    // A second one that is a repeat of the first is answered likewise.
    for (let times = 0; times < 2; times++) {
      const reply = await post(served, form, FORM)
      assert.deepEqual([reply.status, reply.body], [200, ''], form)
    }
  }
  assert.equal(served.events().length > 0, true)
})

suite('requests', () => {
  test('the challenge, alone; ssl_check; envelopes without an event', async (t) => {
    const served = await serve(t)
    const challenge = await post(served, JSON.stringify({ token: TOKEN, type: 'url_verification', challenge: '3eZ' }))
    assert.deepEqual([challenge.status, challenge.body], [200, '3eZ'])
    assert.equal((await post(served, 'ssl_check=1&token=x', FORM)).status, 200)
    const limited = await post(served, JSON.stringify({ token: TOKEN, type: 'app_rate_limited' }))
    assert.deepEqual([limited.status, limited.body], [200, 'success'])
    assert.deepEqual(served.events(), [])
  })

  test('a repeat has the same id', async (t) => {
    const served = await serve(t)
    const id = async (...args: [string, Record<string, string>?]) => (await post(served, ...args)).headers['x-event-id']
    const mention = callback({ type: 'app_mention' })
    const first = await id(mention)
    assert.equal(await id(mention, { 'X-Slack-Retry-Num': '1' }), first)
    assert.notEqual(await id(callback({ type: 'app_mention' }, { event_id: 'Ev2' })), first)
    const command = 'command=%2Fw&trigger_id=7'
    assert.equal(await id(command, FORM), await id(command, FORM))
    const payload = new URLSearchParams({ payload: '{"type":"shortcut","trigger_id":"8"}' }).toString()
    assert.equal(await id(payload, FORM), await id(payload, FORM))
  })

  test('what is malformed', async (t) => {
    const served = await serve(t)
    const refused = async (body: string, words: RegExp, headers: Record<string, string> = {}) => {
      const reply = await post(served, body, headers)
      assert.equal(reply.status, 400, body)
      assert.match(reply.body, words)
    }
    await refused('', /^failed to extract event, unexpected end of JSON input$/)
    await refused('[]', /^failed to extract event, it is no JSON object$/)
    await refused(callback(undefined), /it has no event/)
    await refused(callback('x'), /it has no event/)
    await refused(
      callback({ type: 'app_mention', ts: 1 }),
      /^failed to extract event, json: cannot unmarshal number into Go struct field app_mention.ts of type string$/,
    )
    await refused('x=1', /^could not determine slack type from form parameters$/, FORM)
    await refused('payload={', /^failed to parse interaction event, unexpected end of JSON input$/, FORM)
    await refused('payload=[]', /it is no JSON object/, FORM)
    assert.equal((await served.send('GET /e')).status, 405)
    served.harness.failWith = fail('BUS_UNAVAILABLE', 'away')
    assert.equal((await post(served, callback({ type: 'app_mention' }))).status, 503)
    assert.deepEqual(served.events(), [])
  })

  test('whatever is posted, nothing unexpected is thrown', () => {
    const payloads = slackPayloads({ a: 'b' })
    const interaction = {
      type: 'block_actions',
      actions: [{ block_id: 'b' }, { name: 'x' }],
      state: { values: { a: { b: {} } } },
    }
    const samples = [
      callback({
        type: 'message',
        text: 'é',
        blocks: [{ type: 'section' }],
        files: [{ id: 'F', shares: { public: {} } }],
      }),
      callback({ type: 'user_profile_changed', user: { profile: { fields: { X: { value: 'v' } } } } }),
      callback({ type: 'app_home_opened', view: { state: { values: {} }, title: {}, errors: ['x'] } }),
      JSON.stringify(interaction),
    ]
    for (const input of mutations(samples, { seed: 11 })) {
      for (const work of [() => payloads.event(outerOf(input)), () => payloads.interaction(input.toString())]) {
        try {
          JSON.parse(work().data)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'EVENT_INVALID', `${input}\n${(error as Error).stack}`)
        }
      }
    }
  })

  test('whatever is changed in a signed request, it is refused', () => {
    const [body, at] = [callback({ type: 'app_mention' }), '1531420618']
    for (const input of mutations([`${at}\n${sign(body, at)}\n${body}`], { seed: 12 })) {
      const [timestamp = '', signature = '', ...rest] = input.toString('latin1').split('\n')
      const changed = Buffer.from(rest.join('\n'), 'latin1')
      const headers: Record<string, string> = { 'X-Slack-Request-Timestamp': timestamp, 'X-Slack-Signature': signature }
      const right = checkSlackSignature({ body: changed, header: (name) => headers[name] }, [SECRET], Number(at) * 1000)
      if (right === null) assert.deepEqual([changed.toString(), timestamp], [body, at])
    }
  })
})

test('validation: the words of upstream', () => {
  const found = (spec: object) => slack.validate!(slack.spec.parse(spec)).map(({ message }) => message)
  const selector = { name: 's', key: 'k' }
  assert.deepEqual(found({}), ['token not provided'])
  assert.deepEqual(found({ token: selector }), ['signingSecret not provided'])
  assert.deepEqual(found({ token: selector, signingSecret: selector, webhook: { endpoint: '/e', port: '1' } }), [])
})

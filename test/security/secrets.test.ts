/** Attacks on secrets, each with honest traffic beside it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { deliverTo } from '../../src/cli/deliverTo.ts'
import { createLogger } from '../../src/core/log.ts'
import { createRedactor } from '../../src/core/redact.ts'
import { AFTER_SETTLED_MS, acceptedSecrets, sentSecret } from '../../src/source/secrets.ts'
import { fakeClock } from '../fake-clock.ts'
import { cli } from '../local/program.ts'

const selector = { name: 's', key: 'k' }
const MINUTE = 60_000
const GRACE = 5 * MINUTE

test('S5: a secret that was replaced is refused with the next request, also minutes later and with no traffic between', async () => {
  for (const graceMs of [0, GRACE]) {
    const clock = fakeClock()
    let value = 'old'
    const secrets = acceptedSecrets(selector, { clock, secret: async () => value }, graceMs)
    assert.deepEqual(await secrets(), ['old'])
    value = 'new'
    await clock.advance(6 * MINUTE)
    assert.deepEqual(await secrets(), ['new'])
  }
})

test('S5: where we set it at the provider, the former one is accepted until the provider has the new one', async () => {
  const clock = fakeClock()
  let value = 'old'
  let settledMs: number | null = null
  const secrets = acceptedSecrets(selector, { clock, secret: async () => value }, GRACE, () => settledMs)
  settledMs = clock.monotonic()
  assert.deepEqual(await secrets(), ['old'])
  value = 'new'
  await clock.advance(2_000)
  assert.deepEqual(await secrets(), ['new', 'old'], 'the provider had the old one')
  await clock.advance(2_000)
  settledMs = clock.monotonic()
  await clock.advance(AFTER_SETTLED_MS - 1_000)
  assert.deepEqual(await secrets(), ['new', 'old'], 'what was under way')
  await clock.advance(1_000)
  assert.deepEqual(await secrets(), ['new'])
})

test('S5: of two lines both are accepted; the second has no grace when it is taken away', async () => {
  const clock = fakeClock()
  let value = 'new\r\nold\n'
  const secrets = acceptedSecrets(selector, { clock, secret: async () => value }, GRACE)
  assert.deepEqual(await secrets(), ['new', 'old'])
  value = 'new'
  await clock.advance(1_000)
  assert.deepEqual(await secrets(), ['new'])
})

test('S5: of what we send the first line counts', async () => {
  assert.equal(await sentSecret({ secret: async () => 'new\nold\n' }, selector), 'new')
  assert.equal(await sentSecret({ secret: async () => ' p w ' }, selector), ' p w ')
})

function file(t: TestContext, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-deliver-'))
  t.after(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'f'), text)
  return join(dir, 'f')
}

test('S12: a URL with credentials is refused as an argument, and nothing of them is shown', async () => {
  const urls = [
    'http://u:%zz@127.0.0.1:1/',
    'https://u:s3cretpass@h/',
    'https://h/?token=s3cretpass',
    's3cret:s3cretpass@h/in',
  ]
  for (const deliver of urls) {
    const refused = deliverTo({ deliver, deliverMode: 'structured' }, createRedactor())
    await assert.rejects(refused, ({ code, message }: { code: string; message: string }) => {
      assert.equal(code, 'USAGE')
      assert.match(message, /--deliver-file/)
      assert.doesNotMatch(message, /s3cretpass|%zz/)
      return true
    })
  }
  const [url] = urls
  const { code, stderr } = await cli('run', 'none.yaml', '--deliver', url!)
  assert.equal(code, 2)
  assert.doesNotMatch(stderr, /%zz|\n\s+at /)
})

test('S12: the address and the fields of deliveries come from files; fields are read anew', async (t) => {
  const deliverFile = file(t, 'https://u:s3cretpass@h.example/in/t0kent0kent0ken?sig=s3cretsig\n')
  const deliverHeaderFile = file(t, '# of the receiver\nAuthorization: Bearer s3cretbearer\nAccept: application/json\n')
  const redactor = createRedactor()
  const to = await deliverTo({ deliverFile, deliverHeaderFile, deliverMode: 'binary' }, redactor)
  assert.equal(to?.secret, true)
  assert.deepEqual(await to?.credentials?.(), { authorization: 'Bearer s3cretbearer', accept: 'application/json' })
  assert.equal(redactor.redact('s3cretbearer application/json'), '*** application/json')
  writeFileSync(deliverHeaderFile, 'Authorization: Bearer renewed-bearer\n')
  assert.deepEqual(await to?.credentials?.(), { authorization: 'Bearer renewed-bearer' })
  const honest = await deliverTo({ deliver: 'https://h.example/in?tenant=a', deliverMode: 'structured' }, redactor)
  assert.equal(honest?.url, 'https://h.example/in?tenant=a')
  await assert.rejects(deliverTo({ deliverFile: '/nowhere', deliverMode: 'binary' }, redactor), { code: 'USAGE' })
})

test('S6, S14: a log line shows neither a value that was read nor what steers a terminal; what it says stays readable', () => {
  const redactor = createRedactor()
  redactor.hide('s3cretvalue')
  for (const format of ['text', 'json'] as const) {
    let line = ''
    const log = createLogger({ format, redact: redactor.redact, write: (text) => (line = text) })
    log.warn('filter failed \u009b2J\u202e\n12:00:00 ERROR forged', {
      error: 'Bearer s3cretvalue',
      nested: { a: ['s3cretvalue'] },
    })
    assert.doesNotMatch(line, /s3cretvalue|[\u0080-\u009f\u202e]/)
    assert.equal(line.split('\n').length, 2, 'one line')
    assert.match(line, /filter failed \\u009b2J\\u202e/)
    if (format === 'json') assert.match(String((JSON.parse(line) as { msg: string }).msg), /^filter failed \u009b2J/)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listenerOptions, listenerSettings } from './settings.ts'

const of = { limits: '--listener-limits', trustedProxies: '--trusted-proxies', forwardedHeader: '--forwarded-header' }

test('texts become settings; what is left out has its default', () => {
  assert.deepEqual(listenerSettings({}, of), { limits: {}, trustedProxies: [], forwardedHeader: 'x-forwarded-for' })
  const texts = {
    limits: 'maxConnections=9, maxRequests=7',
    trustedProxies: '10.0.0.0/8, ::1',
    forwardedHeader: 'Forwarded',
  }
  assert.deepEqual(listenerSettings(texts, of), {
    limits: { maxConnections: 9, maxRequests: 7 },
    trustedProxies: ['10.0.0.0/8', '::1'],
    forwardedHeader: 'forwarded',
  })
})

test('what cannot be is said with its name', () => {
  for (const [texts, message] of [
    [{ limits: 'maxTea=1' }, /--listener-limits: there is no limit "maxTea": there are maxConnections/],
    [{ limits: 'maxRequests=0' }, /maxRequests "0" is no whole number/],
    [{ limits: 'maxRequests' }, /maxRequests "" is no whole number/],
    [{ trustedProxies: 'proxy.example' }, /"proxy.example" is no address or network/],
    [{ forwardedHeader: 'Via' }, /--forwarded-header "Via"/],
  ] as const) {
    assert.throws(() => listenerSettings(texts, of), { code: 'USAGE', message })
  }
})

test('no more connections by default than the system has files for; what is set is set', () => {
  const settings = listenerSettings({}, of)
  assert.ok(listenerOptions(settings).maxConnections! <= 4096)
  assert.equal(listenerOptions({ ...settings, limits: { maxConnections: 100_000 } }).maxConnections, 100_000)
})

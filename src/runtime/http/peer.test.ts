import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import { type ForwardedHeader, network, peers } from './peer.ts'

const from = (
  address: string,
  headers: IncomingHttpHeaders = {},
  trusted: string[] = ['10.0.0.0/8', 'fd00::/8'],
  header?: ForwardedHeader,
) => peers(trusted, header)({ headers }, { address, network: network(address) })

test('what a connection says of others counts only from proxies that are trusted', () => {
  const said = { 'x-forwarded-for': '203.0.113.9' }
  assert.equal(from('198.51.100.1', said), '198.51.100.1')
  assert.equal(from('198.51.100.1', said, []), '198.51.100.1')
  assert.equal(from('10.1.2.3', said), '203.0.113.9')
  assert.equal(from('::ffff:10.1.2.3', said), '203.0.113.9')
  assert.equal(from('fd00::1', said), '203.0.113.9')
})

test('the nearest hop that nobody trusts is the sender: what lies before may be made up', () => {
  assert.equal(from('10.0.0.1', { 'x-forwarded-for': '1.1.1.1, 203.0.113.9, 10.0.0.2' }), '203.0.113.9')
  assert.equal(from('10.0.0.1', { 'x-forwarded-for': '1.1.1.1, nonsense' }), '10.0.0.1')
  assert.equal(from('10.0.0.1', { 'x-forwarded-for': '' }), '10.0.0.1')
  assert.equal(from('10.0.0.1', { 'x-forwarded-for': '203.0.113.9:4711' }), '203.0.113.9')
})

test('Forwarded counts only where it is what the proxies write', () => {
  const both = { forwarded: 'for=192.0.2.1;proto=https, for="[2001:db8:1:2::7]:80"', 'x-forwarded-for': '203.0.113.9' }
  assert.equal(from('10.0.0.1', both), '203.0.113.9')
  assert.equal(from('10.0.0.1', both, ['10.0.0.0/8'], 'forwarded'), '2001:db8:1:2::/64')
  assert.equal(from('10.0.0.1', { forwarded: 'for=unknown' }, ['10.0.0.0/8'], 'forwarded'), '10.0.0.1')
})

test('an IPv6 sender is its /64', () => {
  assert.equal(network('2001:db8::1'), '2001:db8:0:0::/64')
  assert.equal(network('2001:0db8:0:0:ffff:1:2:3'), '2001:db8:0:0::/64')
  assert.equal(network('fe80::1%eth0'), 'fe80:0:0:0::/64')
  assert.equal(network('::ffff:192.0.2.1'), '192.0.2.1')
})

test('what is no network is said', () => {
  for (const wrong of ['ten', '10.0.0.0/33', '10.0.0.0/x', 'fd00::/129'])
    assert.throws(() => peers([wrong]), { code: 'USAGE' }, wrong)
})

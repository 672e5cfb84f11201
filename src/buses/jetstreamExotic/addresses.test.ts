import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressesIn, credentialsIn } from './addresses.ts'

test('the access secret holds user and password, or a token', () => {
  assert.deepEqual(credentialsIn('username: a\npassword: b: c\n'), { token: 'username: a\npassword: b: c' })
  assert.deepEqual(credentialsIn('username: a\npassword: "b: c"\n'), { user: 'a', pass: 'b: c' })
  assert.deepEqual(credentialsIn('{"username":"a","password":"1234"}'), { user: 'a', pass: '1234' })
  assert.deepEqual(credentialsIn('username: 12345678901234567890\npassword: 007'), {
    user: '12345678901234567890',
    pass: '007',
  })
  assert.deepEqual(credentialsIn('token: "xyz"'), { token: 'xyz' })
  assert.deepEqual(credentialsIn(' s3cr3t \n'), { token: 's3cr3t' })
  assert.deepEqual(credentialsIn('0123'), { token: '0123' })
})

test('addresses are separated by commas', () => {
  const servers = ['nats://a:4222', 'nats://b:4222']
  assert.deepEqual(addressesIn('nats://a:4222, nats://b:4222,'), { servers, credentials: null })
})

test('a login in an address is taken out of it', () => {
  const of = (url: string) => addressesIn(url)
  assert.deepEqual(of('nats://me:s%40:x@a:4222,tls://b'), {
    servers: ['nats://a:4222', 'tls://b'],
    credentials: { user: 'me', pass: 's@:x' },
  })
  assert.deepEqual(of('t0ken@a:4222'), { servers: ['a:4222'], credentials: { token: 't0ken' } })
  assert.deepEqual(of('nats://%zz:@[::1]:4222'), {
    servers: ['nats://[::1]:4222'],
    credentials: { user: '%zz', pass: '' },
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { credentialsIn, serversIn } from './openNats.ts'

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
  assert.deepEqual(serversIn('nats://a:4222, nats://b:4222,'), ['nats://a:4222', 'nats://b:4222'])
})

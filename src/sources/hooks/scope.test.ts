import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scopes } from './scope.ts'

test('a credential stands for the same sender on every replica, for another one elsewhere, and is not given away', async () => {
  const [one, other, elsewhere] = [scopes('default/es/e'), scopes('default/es/e'), scopes('default/es/f')]
  const scope = await one('Bearer hunter2')
  assert.match(scope, /^[0-9a-f]{32}$/)
  assert.equal(await one('Bearer hunter2'), scope)
  assert.equal(await other('Bearer hunter2'), scope)
  assert.notEqual(await one('Bearer hunter3'), scope)
  assert.notEqual(await elsewhere('Bearer hunter2'), scope)
})

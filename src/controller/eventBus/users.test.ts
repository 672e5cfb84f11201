/** The users in the file of a bus: what is ours comes and goes, and nothing else of the file is touched. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { authConf } from './natsConf.ts'
import { covers, readAuth, revisionIn, union, withUsers, writeAuth } from './users.ts'

const base = authConf('theUser', 'thePassword', 'systemPassword')
const user = (name: string, publish = [`default.${name}.a`], password = 'secret') => ({
  user: `ns/${name}`,
  password,
  permissions: { publish, subscribe: [`_INBOX.ns/${name}.>`] },
})
const written = (text: string, users: ReturnType<typeof user>[], now: number) =>
  writeAuth(withUsers(readAuth(text), users, now))

suite('users in auth.conf', () => {
  test('they are found again as they were written, and without them the file is what it was, byte for byte', () => {
    for (const text of [
      base,
      base.replaceAll('"', ''),
      `# mine\n${base.replace('"pass": "thePassword"}', '$&, {"user": "own"}')}`,
    ]) {
      const auth = readAuth(written(text, [user('b'), user('a', ['x "quoted" \\ $y'])], 5)!)
      assert.deepEqual(auth, {
        base: text,
        users: [
          { ...user('a', ['x "quoted" \\ $y']), since: 5 },
          { ...user('b'), since: 5 },
        ],
        revision: 5,
      })
    }
  })

  test('who stays as he was keeps the revision that he came with; the same users change nothing', () => {
    const first = written(base, [user('a'), user('b')], 5.9)!
    assert.equal(written(first, [user('b'), user('a')], 9), first)
    const then = readAuth(written(first, [user('a'), user('b', ['default.b.new']), user('c')], 9)!)
    assert.deepEqual(
      then.users.map(({ user, since }) => [user, since]),
      [
        ['ns/a', 5],
        ['ns/b', 9],
        ['ns/c', 9],
      ],
    )
    // Also by a clock that goes behind, and when one only goes.
    const last = readAuth(written(written(first, [user('a')], 2)!, [], 1)!)
    assert.deepEqual(last, { base, users: [], revision: 7 })
    assert.equal(readAuth(written(first, [user('a', undefined, 'another')], 2)!).users[0]!.since, 6)
  })

  test('there is none where there is no place, or no room', () => {
    assert.equal(written('authorization { token: x }', [user('a')], 5), null)
    assert.equal(written('accounts: { other: { users: [] } }', [user('a')], 5), null)
    const many = Array.from({ length: 900 }, (_, i) => user(`s${i}`, ['x'.repeat(1_000)]))
    assert.equal(written(base, many, 5), null)
    assert.notEqual(written(base, many.slice(0, 500), 5), null)
  })

  test('what they may: more, and both', () => {
    const [a, b] = [user('a').permissions, user('b').permissions]
    assert.ok(covers(union(a, b), a) && covers(union(a, b), b) && covers(a, a))
    assert.ok(!covers(a, b) && !covers(a, union(a, b)) && !covers(a, { ...a, subscribe: ['>'] }))
    assert.deepEqual(union(a, a), a)
  })

  test('which file a server has read stands in the answer of its monitoring port', () => {
    assert.equal(revisionIn({ accounts: ['$G', 'js', 'sys', 'vedette-users-1730', '$SYS'] }), 1730)
    assert.deepEqual([revisionIn({ accounts: ['js'] }), revisionIn({}), revisionIn(null)], [0, 0, 0])
  })
})

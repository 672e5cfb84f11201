/** What differs from Argo Events is said once, as data, and stands on the page of its type and on that of all differences. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { types } from '../../src/sources/index.ts'
import { IN_FLIGHT } from '../../src/sources/nsq/serve.ts'
import { DIFFERS, differencesIn } from '../../tools/generate/differences.ts'

const page = (name: string) => readFileSync(path.join(import.meta.dirname, '../../docs', name), 'utf8')
/** The table below a heading, until the next heading. */
const below = (text: string, heading: string, where: string) => {
  const [, after] = text.split(`${heading}\n`)
  assert.ok(after !== undefined, `${where} has no "${heading}"`)
  const table = after.split(/^#+ /m)[0]!.match(/^\|.*$/gm)
  return differencesIn((table ?? []).join('\n'), where)
}

suite('differences from Argo Events', () => {
  const all = page('differences.md')

  for (const type of types) {
    test(`${type}: its page and the page of all have the same`, () => {
      const own = page(`sources/${type}.md`)
      const title = /^# (.+)$/m.exec(own)![1]!
      const differences = below(own, `### ${DIFFERS}`, `sources/${type}.md`)
      assert.ok(differences.length > 0)
      assert.deepEqual(below(all, `\n## ${title}`, 'differences.md'), differences)
    })

    test(`${type}: what it shares with other types is named, and there`, () => {
      const links = [...page(`sources/${type}.md`).matchAll(/\]\(\.\.\/differences\.md#([^)]+)\)/g)].map(
        ([, to]) => to!,
      )
      assert.ok(links.includes('every-event-source'))
      const anchors = Array.from(all.matchAll(/^## (.+)$/gm), ([, title]) => title!.toLowerCase().replaceAll(' ', '-'))
      assert.deepEqual(
        links.filter((link) => !anchors.includes(link)),
        [],
      )
    })
  }

  test('their numbers are those of the code', () => {
    const underWay = below(page('sources/nsq.md'), `### ${DIFFERS}`, 'nsq').find(({ what }) => /under way/.test(what))
    assert.equal(underWay?.ours, `${IN_FLIGHT} for each nsqd`)
  })

  test('a type that listens, manages hooks or holds a connection says what all of these differ in', () => {
    const has = (type: string, anchor: string) => page(`sources/${type}.md`).includes(`differences.md#${anchor})`)
    const expected = { webhook: [true, false, false], github: [true, true, false], mqtt: [false, false, true] }
    for (const [type, wanted] of Object.entries(expected)) {
      const anchors = ['whatever-listens', 'hooks-at-providers', 'connections-to-brokers']
      assert.deepEqual(
        anchors.map((anchor) => has(type, anchor)),
        wanted,
        type,
      )
    }
  })

  test('a row says what, theirs and ours, and is the only one of its kind', () => {
    const table = (rows: string, why = '') => `Text.\n\n| | Argo Events | Vedette |${why}\n|---|---|---|\n${rows}\n`
    assert.deepEqual(differencesIn(table('| a \\| b | lost | kept |'), 'x'), [
      { what: 'a \\| b', theirs: 'lost', ours: 'kept' },
    ])
    assert.deepEqual(differencesIn(table('| a | lost | kept | since |\n| b | c | d | |', ' why |'), 'x'), [
      { what: 'a', theirs: 'lost', ours: 'kept', why: 'since' },
      { what: 'b', theirs: 'c', ours: 'd' },
    ])
    for (const [rows, why] of [
      ['| a | lost | |', /x: no difference: \| a \| lost \| \|/],
      ['| a | lost | kept | since |', /x: no difference/],
      ['| a | lost | kept |\nMore text.', /x: no difference: More text/],
      ['| a | lost | kept |\n| a | b | c |', /x: twice: a/],
    ] as const) {
      assert.throws(() => differencesIn(table(rows), 'x'), why)
    }
    assert.throws(() => differencesIn('- lost there, kept here', 'x'), /x: no table/)
  })
})

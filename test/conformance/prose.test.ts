/** Prose in docs pages takes its numbers from the code, and what it asks for must be there. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import { types } from '../../src/sources/index.ts'
import { DIFFERS } from '../../tools/generate/differences.ts'
import { proseOf } from '../../tools/generate/prose.ts'

suite('prose', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vedette-prose-'))
  after(() => rmSync(folder, { recursive: true }))
  const write = (name: string, text: string) => writeFileSync(path.join(folder, name), text)
  write(
    'limits.ts',
    'export const MANY = 250_000\nexport const WAIT_MS = 60_000\nexport const size = { maxBytes: 16 << 20 }\nexport const NAME = "x"\n',
  )
  write('rows.md', '\n| up to {{limits.MANY}} |\n\n')
  /** What a text of the folder says. */
  const filled = (text: string) => {
    write('docs.md', text)
    return proseOf(path.join(folder, 'docs.md'))
  }

  test('numbers come from what the modules beside it export, other texts as they stand', async () => {
    assert.equal(
      await filled(
        '\nAfter {{limits.WAIT_MS in s}}, {{limits.WAIT_MS}} ms; at {{limits.size.maxBytes in MiB}}.\n{{> rows.md}}\n',
      ),
      'After 60 s, 60,000 ms; at 16 MiB.\n| up to 250,000 |',
    )
    assert.equal(await filled('`{"a": {"b": 1}}` stays'), '`{"a": {"b": 1}}` stays')
  })

  test('what is not there is refused, with its place', async () => {
    for (const [text, why] of [
      ['{{limits.FEW}}', /docs\.md: \{\{limits\.FEW\}\}: no number/],
      ['{{limits.NAME}}', /no number/],
      ['{{limits.size.minBytes}}', /no number/],
      ['{{limits.nothing.maxBytes}}', /no number/],
      ['{{limits.MANY in feet}}', /the units are s, MiB/],
      ['{{elsewhere.MANY}}', /docs\.md: \{\{elsewhere\.MANY\}\}: .*elsewhere\.ts/],
      ['{{MANY}}', /write \{\{file\.NAME\}\}/],
      ['{{> nothing.md}}', /nothing\.md/],
    ] as const) {
      await assert.rejects(filled(text), why, text)
    }
  })

  test('every type says what happens when something fails, and at its end what differs from Argo Events', () => {
    for (const type of types) {
      const text = readFileSync(path.join(import.meta.dirname, '../../src/sources', type, 'docs.md'), 'utf8')
      const headings = Array.from(
        text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^(#+) (.+)$/gm),
        ([, , name]) => name,
      )
      assert.ok(headings.includes('When something fails'), type)
      assert.equal(headings.at(-1), DIFFERS, type)
      assert.doesNotMatch(text, /^# /m, type)
    }
  })
})

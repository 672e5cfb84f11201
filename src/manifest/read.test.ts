import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { isVedetteError } from '../core/errors.ts'
import { readManifestFiles } from './read.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'vedette-read-'))
})
after(() => rm(folder, { recursive: true }))

test('files, directories (sorted, by ending, links followed) and standard input', async () => {
  const directory = path.join(folder, 'd')
  await mkdir(path.join(directory, 'sub.yaml'), { recursive: true })
  for (const name of ['b.yaml', 'a.yml', 'c.json', 'd.txt', '.hidden.yaml'])
    await writeFile(path.join(directory, name), name)
  await symlink(path.join(directory, 'd.txt'), path.join(directory, 'link.yaml'))
  const files = await readManifestFiles(
    [directory, '-', path.join(directory, 'd.txt'), path.join(directory, 'b.yaml')],
    {
      stdin: Readable.from([Buffer.from('from '), 'stdin']),
    },
  )
  assert.deepEqual(
    files.map(({ file, text }) => [path.basename(file), text]),
    [
      ['a.yml', 'a.yml'],
      ['b.yaml', 'b.yaml'],
      ['c.json', 'c.json'],
      ['link.yaml', 'd.txt'],
      ['<stdin>', 'from stdin'],
      ['d.txt', 'd.txt'],
    ],
  )
})

test('every path that cannot be read is named at once', async () => {
  const empty = path.join(folder, 'empty')
  await mkdir(empty)
  await assert.rejects(readManifestFiles(['/nonexistent/x.yaml', empty, '/nonexistent/y.yaml']), (error) => {
    assert.ok(isVedetteError(error, 'MANIFEST_INVALID'))
    assert.equal(
      error.message,
      `/nonexistent/x.yaml: no such file or directory\n${empty}: the directory holds no *.yaml, *.yml or *.json\n/nonexistent/y.yaml: no such file or directory`,
    )
    return true
  })
})

test('large files and endless devices are not read to their end', { timeout: 10_000 }, async () => {
  const large = path.join(folder, 'large.yaml')
  await writeFile(large, 'a: 1\n')
  await truncate(large, 5e9)
  const started = performance.now()
  await assert.rejects(
    readManifestFiles([large, '/dev/zero']),
    /large\.yaml: larger than 10 MB[\s\S]*\/dev\/zero: larger than/,
  )
  assert.ok(performance.now() - started < 5000)
})

import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { directory, names, open, payloads, type Running, serving, specOf } from '../../test/file-source.ts'
import { following, serveInHarness } from '../../test/harness.ts'
import { serveDirectory } from './file/serve.ts'
import file from './file.ts'

/** Each kind on its own entry, all served beside one another. */
async function allKinds(dir: string, more: Record<string, unknown> = {}) {
  const kinds = ['CREATE', 'WRITE', 'REMOVE', 'RENAME', 'CHMOD']
  const entries = await Promise.all(kinds.map((kind) => serving(specOf(dir, kind, more))))
  const seen = () => entries.flatMap((entry, at) => names(entry).map((name) => `${kinds[at]} ${name}`)).sort()
  return {
    /** Waits until all of `wanted` were told, then until a later change was: so nothing else came before it. */
    async told(wanted: string[]) {
      for (const [at, kind] of kinds.entries()) {
        const count = wanted.filter((text) => text.startsWith(`${kind} `)).length
        if (count > 0) await entries[at]!.until((h) => h.emitted.length >= count)
      }
      writeFileSync(join(dir, 'end'), '')
      chmodSync(join(dir, 'end'), 0o600)
      await entries[0]!.until((h) => names(h).some((name) => name.endsWith('end')))
      const rest = seen().filter((text) => !/(^| |\/)end$/.test(text))
      assert.deepEqual(rest, wanted.toSorted())
    },
  }
}

suite('file with notifications', () => {
  test('the payload is upstream’s, with the full path and metadata null or as given', async () => {
    const dir = directory()
    const plain = await serving(specOf(`${dir}/`, 'CREATE', { path: 'x.txt' }))
    const labelled = await serving(specOf(dir, 'WRITE', { metadata: { b: '2', a: '<1>' } }))
    const empty = await serving(specOf(dir, 'CREATE', { metadata: {} }))
    writeFileSync(join(dir, 'x.txt'), 'a')
    await plain.until((h) => h.emitted.length === 1)
    await labelled.until((h) => h.emitted.length === 1)
    await empty.until((h) => h.emitted.length === 1)
    assert.deepEqual(payloads(empty), payloads(plain))
    assert.deepEqual(payloads(plain), [`{"name":"${dir}/x.txt","op":1,"metadata":null}`])
    assert.deepEqual(payloads(labelled), [`{"name":"${dir}/x.txt","op":2,"metadata":{"a":"\\u003c1\\u003e","b":"2"}}`])
    for (const text of [...payloads(plain), ...payloads(labelled)]) file.event.parse(JSON.parse(text))
  })

  test('path matches without a trailing slash, and other names do not match', async () => {
    const dir = directory()
    const running = await serving(specOf(dir, 'CREATE', { path: 'x.txt' }))
    writeFileSync(join(dir, 'ax.txt'), '')
    writeFileSync(join(dir, 'x.txt'), '')
    await running.until((h) => h.emitted.length === 1)
    assert.deepEqual(names(running), [`${dir}/x.txt`])
  })

  test('pathRegexp is searched for anywhere in the name', async () => {
    const dir = directory()
    const running = await serving(specOf(dir, 'CREATE', { pathRegexp: '([a-z]+).txt' }))
    const anchored = await serving(specOf(dir, 'CREATE', { pathRegexp: '^/0' }))
    for (const name of ['A.TXT', '0a_txt1', '1.txt']) writeFileSync(join(dir, name), '')
    await running.until((h) => h.emitted.length === 1)
    await anchored.until((h) => h.emitted.length === 1)
    assert.deepEqual(names(running), [`${dir}/0a_txt1`])
    assert.deepEqual(names(anchored), [`${dir}/0a_txt1`])
  })

  test('a file made and written is CREATE and WRITE; an empty one and a directory are CREATE', async () => {
    const dir = directory()
    const kinds = await allKinds(dir)
    writeFileSync(join(dir, 'x'), 'a')
    writeFileSync(join(dir, 'empty'), '')
    mkdirSync(join(dir, 'sub'))
    writeFileSync(join(dir, 'sub', 'invisible'), 'a')
    await kinds.told([`CREATE ${dir}/x`, `WRITE ${dir}/x`, `CREATE ${dir}/empty`, `CREATE ${dir}/sub`])
  })

  test('write, remove, attribute change', async () => {
    const dir = directory()
    for (const name of ['w', 'r', 'c']) writeFileSync(join(dir, name), 'a')
    const kinds = await allKinds(dir)
    appendFileSync(join(dir, 'w'), 'b')
    unlinkSync(join(dir, 'r'))
    chmodSync(join(dir, 'c'), 0o600)
    await kinds.told([`WRITE ${dir}/w`, `REMOVE ${dir}/r`, `CHMOD ${dir}/c`])
  })

  test('touch is WRITE and CHMOD', async () => {
    const dir = directory()
    writeFileSync(join(dir, 't'), 'a')
    const kinds = await allKinds(dir)
    utimesSync(join(dir, 't'), 1, 1)
    await kinds.told([`WRITE ${dir}/t`, `CHMOD ${dir}/t`])
  })

  test('a rename is RENAME of the old name and CREATE of the new', async () => {
    const dir = directory()
    writeFileSync(join(dir, 'a'), 'a')
    const kinds = await allKinds(dir)
    renameSync(join(dir, 'a'), join(dir, 'b'))
    await kinds.told([`RENAME ${dir}/a`, `CREATE ${dir}/b`])
  })

  test('an atomic replacement is CREATE of the target, however fast it was written', async () => {
    const [dir, other] = [directory(), directory()]
    writeFileSync(join(dir, 'x'), 'old')
    const kinds = await allKinds(dir)
    writeFileSync(join(other, 'tmp'), 'new')
    renameSync(join(other, 'tmp'), join(dir, 'x'))
    await kinds.told([`CREATE ${dir}/x`])
  })

  test('a file moved in is CREATE, one moved out is RENAME, one with another link elsewhere is still REMOVE', async () => {
    const [dir, other] = [directory(), directory()]
    writeFileSync(join(other, 'in'), 'a')
    writeFileSync(join(dir, 'out'), 'a')
    writeFileSync(join(dir, 'linked'), 'a')
    linkSync(join(dir, 'linked'), join(other, 'linked'))
    const kinds = await allKinds(dir)
    renameSync(join(other, 'in'), join(dir, 'in'))
    renameSync(join(dir, 'out'), join(other, 'out'))
    unlinkSync(join(dir, 'linked'))
    await kinds.told([`CREATE ${dir}/in`, `RENAME ${dir}/out`, `REMOVE ${dir}/linked`])
  })

  test('removed and written anew at once is CREATE and WRITE, also when the inode is reused', async () => {
    const dir = directory()
    writeFileSync(join(dir, 'x'), 'a')
    const kinds = await allKinds(dir)
    unlinkSync(join(dir, 'x'))
    writeFileSync(join(dir, 'x'), 'b')
    await kinds.told([`CREATE ${dir}/x`, `WRITE ${dir}/x`])
  })

  test('links: a dangling symbolic link is an entry, a hard link is CREATE and no rename', async () => {
    const dir = directory()
    writeFileSync(join(dir, 'a'), '')
    const creates = await serving(specOf(dir, 'CREATE'))
    const renames = await serving(specOf(dir, 'RENAME'))
    symlinkSync('/nowhere/at/all', join(dir, 's'))
    linkSync(join(dir, 'a'), join(dir, 'b'))
    await creates.until((h) => h.emitted.length === 2)
    assert.deepEqual(names(creates).sort(), [`${dir}/b`, `${dir}/s`])
    assert.equal(renames.emitted.length, 0)
  })

  test('names of any bytes are told and kept apart', async () => {
    const dir = directory()
    const running = await serving(specOf(dir, 'CREATE'))
    const raw = [
      Buffer.from([0xff]),
      Buffer.from([0xfe]),
      Buffer.from('ü'),
      Buffer.from('a\nb "\\'),
      Buffer.from('__proto__'),
    ]
    for (const name of raw) writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), name]), '')
    await running.until((h) => h.emitted.length === raw.length)
    const told = names(running).map((name) => name.slice(dir.length + 1))
    assert.deepEqual(told.sort(), ['\ufffd', '\ufffd', 'ü', 'a\nb "\\', '__proto__'].sort())
    const ids = running.emitted.map(({ id }) => id)
    assert.equal(new Set(ids).size, raw.length)
    for (const id of ids) assert.match(id!, /^[\x21-\x7e]+$/)
  })

  test('falls back to listing when the kernel refuses or the file system is a network one, with the same events', async () => {
    for (const wakers of [
      {
        watchDirectory: () => {
          throw Object.assign(new Error('no space left for watches'), { code: 'ENOSPC' })
        },
        networkFileSystem: async () => null,
      },
      {
        watchDirectory: () => assert.fail('must not be asked on NFS'),
        networkFileSystem: async () => 'nfs4',
      },
    ]) {
      const dir = directory()
      const plan = {
        directory: dir,
        polling: false,
        identity: 1,
        wants: () => true,
        payload: (op: string, name: string) => `${op} ${name}`,
      }
      const running: Running = serveInHarness(
        { ...following(file), serve: (ctx: Running['context']) => serveDirectory(ctx, plan, wakers) },
        specOf(dir, 'CREATE'),
      )
      open.running.push(running)
      await running.until((h) => h.conditions.includes(null))
      writeFileSync(join(dir, 'a'), '1')
      await running.until((h) => h.emitted.length === 2)
      renameSync(join(dir, 'a'), join(dir, 'b'))
      await running.until((h) => h.emitted.length === 4)
      assert.deepEqual(payloads(running), ['CREATE a', 'WRITE a', 'RENAME a', 'CREATE b'])
    }
  })
})

suite('file with polling', () => {
  test('events name the entry only; path matches with and without the slash', async () => {
    const dir = directory()
    const entries = await Promise.all(
      [dir, `${dir}/`].map((d) => serving(specOf(d, 'CREATE', { path: 'x.txt', polling: true }))),
    )
    writeFileSync(join(dir, 'x.txt'), '')
    for (const entry of entries) {
      await entry.until((h) => h.emitted.length === 1)
      assert.deepEqual(payloads(entry), ['{"name":"x.txt","op":1,"metadata":null}'])
    }
  })

  test('every kind, with RENAME of the old name alone', async () => {
    const dir = directory()
    for (const name of ['w', 'r', 'c', 'a']) writeFileSync(join(dir, name), 'a')
    const kinds = await allKinds(dir, { polling: true, pathRegexp: '^[^v]+$' })
    appendFileSync(join(dir, 'w'), 'b')
    unlinkSync(join(dir, 'r'))
    chmodSync(join(dir, 'c'), 0o600)
    renameSync(join(dir, 'a'), join(dir, 'b'))
    writeFileSync(join(dir, 'n'), 'n')
    await kinds.told(['WRITE w', 'REMOVE r', 'CHMOD c', 'RENAME a', 'CREATE n', 'WRITE n'])
  })

  test('the directory itself is WRITE under its own name when an entry comes', async () => {
    const dir = directory()
    const running = await serving(specOf(dir, 'WRITE', { polling: true }))
    writeFileSync(join(dir, 'x'), '')
    await running.until((h) => h.emitted.length === 1)
    assert.deepEqual(names(running), [dir.slice(dir.lastIndexOf('/') + 1)])
  })
})

suite('the directory itself', () => {
  for (const polling of [false, true]) {
    test(`missing, appearing, vanishing and returning (polling: ${polling})`, async () => {
      const dir = join(directory(), 'later')
      const running = serveInHarness(file, specOf(dir, 'CREATE', { polling, pathRegexp: '^[^l]' }))
      open.running.push(running)
      await running.until((h) => h.conditions.some((c) => c?.includes('does not exist') === true))
      mkdirSync(dir)
      await running.until((h) => h.conditions.at(-1) === null)
      writeFileSync(join(dir, 'one'), '')
      await running.until((h) => h.emitted.length === 1)
      rmSync(dir, { recursive: true })
      await running.until((h) => h.conditions.at(-1)?.includes('does not exist') === true)
      mkdirSync(dir)
      writeFileSync(join(dir, 'two'), '')
      await running.until((h) => h.emitted.length === 2)
      writeFileSync(join(dir, 'three'), '')
      await running.until((h) => h.emitted.length === 3)
      assert.deepEqual(
        names(running).map((name) => name.slice(name.lastIndexOf('/') + 1)),
        ['one', 'two', 'three'],
      )
    })
  }

  test('its disappearance alone removes nothing; what is missing on return is removed', async () => {
    const dir = join(directory(), 'd')
    mkdirSync(dir)
    for (const name of ['stays', 'goes']) writeFileSync(join(dir, name), '')
    const running = await serving(specOf(dir, 'REMOVE'))
    renameSync(dir, `${dir}-away`)
    await running.until((h) => h.conditions.at(-1)?.includes('does not exist') === true)
    assert.equal(running.emitted.length, 0)
    unlinkSync(join(`${dir}-away`, 'goes'))
    renameSync(`${dir}-away`, dir)
    await running.until((h) => h.emitted.length === 1)
    assert.deepEqual(names(running), [`${dir}/goes`])
  })

  test('a file in its place is said, and prepare says the same without serving', async () => {
    const path = join(directory(), 'f')
    writeFileSync(path, '')
    const standby = serveInHarness(file, specOf(path, 'CREATE'), { prepareOnly: true })
    const leader = serveInHarness(file, specOf(path, 'CREATE'))
    open.running.push(standby, leader)
    for (const running of [standby, leader]) {
      await running.until((h) => h.conditions.some((c) => c?.includes('is not a directory') === true))
    }
    assert.equal(await standby.stop(), undefined)
    assert.equal(standby.snapshot, null)
  })

  test('20,000 entries: the first look, a change found, and nothing else told', { timeout: 60_000 }, async () => {
    const dir = directory()
    for (let i = 0; i < 20_000; i++) writeFileSync(join(dir, `f${i}`), '')
    const running = serveInHarness(file, specOf(dir, 'CREATE'))
    open.running.push(running)
    await running.until((h) => h.conditions.includes(null), 20_000)
    writeFileSync(join(dir, 'new'), '')
    await running.until((h) => h.emitted.length === 1, 20_000)
    assert.deepEqual(names(running), [`${dir}/new`])
  })
})

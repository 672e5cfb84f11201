import assert from 'node:assert/strict'
import { appendFileSync, chmodSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { directory, lastPosition, names, open, type Running, serving, specOf } from '../../../test/file-source.ts'
import { following, serveInHarness } from '../../../test/harness.ts'
import file from '../file.ts'

suite('file across a change of leader', () => {
  for (const polling of [false, true]) {
    test(`what happened in between is told once (polling: ${polling})`, async () => {
      const dir = directory()
      const at = (name: string) => (polling ? name : `${dir}/${name}`)
      for (const name of ['keep', 'write', 'remove', 'rename', 'mode']) writeFileSync(join(dir, name), 'a')
      const specs = (kind: string) => specOf(dir, kind, { polling, pathRegexp: '^[a-z]+$' })
      const kinds = ['CREATE', 'WRITE', 'REMOVE', 'RENAME', 'CHMOD']
      const first = await Promise.all(kinds.map((kind) => serving(specs(kind))))
      for (const entry of first) assert.equal(await entry.stop(), undefined)
      writeFileSync(join(dir, 'new'), 'n')
      appendFileSync(join(dir, 'write'), 'b')
      unlinkSync(join(dir, 'remove'))
      renameSync(join(dir, 'rename'), join(dir, 'renamed'))
      chmodSync(join(dir, 'mode'), 0o600)
      const expected: Record<string, string[]> = {
        CREATE: polling ? [at('new')] : [at('new'), at('renamed')],
        WRITE: [at('new'), at('write')],
        REMOVE: [at('remove')],
        RENAME: [at('rename')],
        CHMOD: [at('mode')],
      }
      for (const [index, kind] of kinds.entries()) {
        const from = { snapshot: first[index]!.snapshot, resume: lastPosition(first[index]!) }
        const second = await serving(specs(kind), from)
        await second.until((h) => h.emitted.length >= expected[kind]!.length)
        assert.equal(await second.stop(), undefined)
        assert.deepEqual(names(second).sort(), expected[kind]!.sort(), kind)

        const again = await serving(specs(kind), from)
        await again.until((h) => h.emitted.length >= expected[kind]!.length)
        const ids = (h: Running) => h.emitted.map(({ id }) => id)
        assert.deepEqual(ids(again), ids(second), 'seen again from the old snapshot, the ids are the same')

        const third = await serving(specs(kind), { snapshot: second.snapshot, resume: lastPosition(second) })
        writeFileSync(join(dir, 'a1'), '')
        await third.until((h) => h.advanced.length > 0)
        assert.deepEqual(names(third), [], 'told once')
        unlinkSync(join(dir, 'a1'))
      }
    })
  }

  test('a leader that dies between two events leaves the rest to the next, under the same ids', async () => {
    const dir = directory()
    const first = await serving(specOf(dir, 'CREATE'))
    for (let i = 0; i < 40; i++) writeFileSync(join(dir, `f${i}`), '')
    await first.until((h) => h.emitted.length === 40)
    await first.stop()
    const ids = first.emitted.map(({ id }) => id)
    for (const cut of [0, 7, 38]) {
      const resume = first.emitted[cut]!.position!
      writeFileSync(join(dir, 'f3'), `later ${cut}`)
      const second = await serving(specOf(dir, 'CREATE'), { snapshot: first.snapshot, resume })
      await second.until((h) => h.emitted.length === 39 - cut)
      await second.stop()
      assert.deepEqual(
        second.emitted.map(({ id }) => id),
        ids.slice(cut + 1),
      )
    }
  })

  test('the same for a few events, which need no snapshot of their own', async () => {
    const dir = directory()
    const first = await serving(specOf(dir, 'CREATE'))
    const baseline = first.snapshot
    for (let i = 0; i < 6; i++) writeFileSync(join(dir, `f${i}`), '')
    await first.until((h) => h.emitted.length === 6)
    await first.stop()
    assert.equal(first.snapshot, baseline)
    for (const cut of [0, 2, 5]) {
      writeFileSync(join(dir, 'f3'), `later ${cut}`)
      const resume = first.emitted[cut]!.position!
      const second = await serving(specOf(dir, 'CREATE'), { snapshot: baseline, resume })
      await second.until((h) => h.emitted.length === 5 - cut)
      await second.stop()
      assert.deepEqual(
        second.emitted.map(({ id }) => id),
        first.emitted.slice(cut + 1).map(({ id }) => id),
      )
    }
  })

  test('a file that goes and comes back as it was is told again', async () => {
    const [dir, other] = [directory(), directory()]
    const running = await serving(specOf(dir, 'CREATE'))
    for (let round = 1; round <= 3; round++) {
      if (round === 1) writeFileSync(join(dir, 'x'), 'a')
      else renameSync(join(other, 'x'), join(dir, 'x'))
      await running.until((h) => h.emitted.length === round)
      const advanced = running.advanced.length
      renameSync(join(dir, 'x'), join(other, 'x'))
      await running.until((h) => h.advanced.length > advanced)
    }
    assert.equal(new Set(running.emitted.map(({ id }) => id)).size, 3)
  })

  test('a move elsewhere is RENAME for a new leader too, of a file that it found unchanged', async () => {
    const [dir, other] = [directory(), directory()]
    for (const name of ['a', 'b']) writeFileSync(join(dir, name), 'a')
    const first = await serving(specOf(dir, 'RENAME'))
    await first.stop()
    const second = await serving(specOf(dir, 'RENAME'), { snapshot: first.snapshot })
    for (const name of ['a', 'b']) renameSync(join(dir, name), join(other, name))
    await second.until((h) => h.emitted.length === 2)
    assert.deepEqual(names(second), [`${dir}/a`, `${dir}/b`])
  })

  test('another directory under the same name starts afresh', async () => {
    const [a, b] = [directory(), directory()]
    writeFileSync(join(a, 'x'), '')
    const first = await serving(specOf(a, 'REMOVE'))
    await first.stop()
    const second = serveInHarness(file, specOf(b, 'REMOVE'), { snapshot: first.snapshot })
    open.running.push(second)
    await second.until((h) => h.snapshot !== first.snapshot && h.conditions.includes(null))
    assert.equal(second.emitted.length, 0)
  })

  test('a snapshot that cannot be read is a fresh start, not a crash', async () => {
    const dir = directory()
    const garbage = Buffer.from('not gzip')
    const running = serveInHarness(file, specOf(dir, 'CREATE'), { snapshot: garbage })
    open.running.push(running)
    await running.until((h) => h.snapshot !== garbage && h.conditions.includes(null))
    writeFileSync(join(dir, 'x'), '')
    await running.until((h) => h.emitted.length === 1)
  })

  test('what emit throws comes out of serve, and the next leader tells the event', async () => {
    const dir = directory()
    const definition = {
      ...following(file),
      serve: (ctx: Running['context']) =>
        following(file)
          .serve(ctx)
          .catch((error: unknown) => {
            ctx.condition('ended')
            throw error
          }),
    }
    const first: Running = serveInHarness(definition, specOf(dir, 'CREATE'))
    open.running.push(first)
    await first.until((h) => h.conditions.includes(null))
    first.failWith = new Error('fenced')
    writeFileSync(join(dir, 'x'), '')
    await first.until((h) => h.conditions.includes('ended'))
    assert.equal(await first.stop(), first.failWith)
    const second = await serving(specOf(dir, 'CREATE'), { snapshot: first.snapshot })
    await second.until((h) => h.emitted.length === 1)
    assert.deepEqual(names(second), [`${dir}/x`])
  })
})

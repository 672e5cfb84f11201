/** The first term after Argo Events' own Pods: what happened since they stopped is told, and what they told is not told again. */
import assert from 'node:assert/strict'
import { appendFileSync, chmodSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { directory, lastPosition, names, serving, specOf } from '../../../test/file-source.ts'
import { serveInHarness } from '../../../test/harness.ts'
import type { Seen, Told } from '../../source.ts'
import file from '../file.ts'
import { ops } from '../states/file-event.ts'

/** What a standby sees while they serve. */
async function seenOf(spec: unknown): Promise<Seen> {
  const { context, stop } = serveInHarness(file, spec, { prepareOnly: true })
  const atMs = Date.now()
  const look = await file.look!(context)
  await stop()
  return { atMs, look }
}

const told = (name: string, op: number, atMs: number): Told => ({
  id: 'random',
  atMs,
  data: `{"name":"${name}","op":${op},"metadata":null}`,
})
/** What a term of ours leaves that knew the directory, and told of one file. */
async function leftByOurs(dir: string, spec: ReturnType<typeof specOf>) {
  const first = await serving(spec, {})
  writeFileSync(join(dir, 'ours'), '')
  await first.until((h) => h.emitted.length === 1)
  await first.stop()
  return { snapshot: first.snapshot, resume: lastPosition(first) }
}
/** A moment later by any clock that is asked here. */
const aMomentLater = () => pause(20)

suite('file after Argo Events', () => {
  for (const polling of [false, true]) {
    test(`each kind: told by theirs, or else by ours (polling: ${polling})`, async () => {
      const dir = directory()
      const at = (name: string) => (polling ? name : `${dir}/${name}`)
      const both = ['theirs', 'ours']
      for (const whose of both)
        for (const what of ['write', 'remove', 'rename', 'mode']) writeFileSync(join(dir, `${what}-${whose}`), 'a')
      await aMomentLater()
      const specs = (kind: string) => specOf(dir, kind, { polling, pathRegexp: '^[a-z]+-(ours|theirs)$' })
      const kinds = Object.keys(ops) as (keyof typeof ops)[]
      const seen = await Promise.all(kinds.map((kind) => seenOf(specs(kind))))
      for (const whose of both) {
        writeFileSync(join(dir, `new-${whose}`), 'n')
        appendFileSync(join(dir, `write-${whose}`), 'b')
        unlinkSync(join(dir, `remove-${whose}`))
        renameSync(join(dir, `rename-${whose}`), join(dir, `renamed-${whose}`))
        chmodSync(join(dir, `mode-${whose}`), 0o600)
      }
      await aMomentLater()
      const nowMs = Date.now()
      const expected = {
        CREATE: polling ? ['new'] : ['new', 'renamed'],
        WRITE: ['new', 'write'],
        REMOVE: ['remove'],
        RENAME: ['rename'],
        CHMOD: ['mode'],
      }
      for (const [i, kind] of kinds.entries()) {
        const predecessor = {
          told: expected[kind].map((what) => told(at(`${what}-theirs`), ops[kind], nowMs)),
          seen: seen[i]!,
        }
        const running = await serving(specs(kind), { predecessor })
        await running.until((h) => h.emitted.length >= expected[kind].length)
        await running.stop()
        assert.deepEqual(names(running).sort(), expected[kind].map((what) => at(`${what}-ours`)).sort(), kind)
        // The next term, before anything of ours is on the bus, still hears of theirs.
        const next = await serving(specs(kind), {
          predecessor,
          snapshot: running.snapshot,
          resume: lastPosition(running),
        })
        await next.stop()
        assert.deepEqual(names(next), [], `${kind}: told once`)
      }
    })
  }

  test('made, told by theirs, removed and made again after they stopped: it is told', async () => {
    const dir = directory()
    const seen = await seenOf(specOf(dir, 'CREATE'))
    writeFileSync(join(dir, 'again'), '1')
    await aMomentLater()
    const theirs = told(`${dir}/again`, ops.CREATE, Date.now())
    await aMomentLater()
    unlinkSync(join(dir, 'again'))
    writeFileSync(join(dir, 'again'), '2')
    // Where a file system has no time of creation this cannot be known.
    const knowsBirth = statSync(join(dir, 'again')).birthtimeMs > theirs.atMs
    const running = await serving(specOf(dir, 'CREATE'), { predecessor: { told: [theirs], seen } })
    if (knowsBirth) await running.until((h) => h.emitted.length === 1)
    await running.stop()
    assert.equal(running.emitted.length, knowsBirth ? 1 : 0)
  })

  test('written again after they told of a write: it is told', async () => {
    const dir = directory()
    writeFileSync(join(dir, 'a'), '1')
    const seen = await seenOf(specOf(dir, 'WRITE'))
    const theirs = told(`${dir}/a`, ops.WRITE, Date.now())
    await aMomentLater()
    appendFileSync(join(dir, 'a'), '2')
    const running = await serving(specOf(dir, 'WRITE'), { predecessor: { told: [theirs], seen } })
    await running.until((h) => h.emitted.length === 1)
    await running.stop()
  })

  test('what they told keeps nothing from being told that happens later', async () => {
    const dir = directory()
    writeFileSync(join(dir, 'a'), '1')
    const seen = await seenOf(specOf(dir, 'REMOVE'))
    unlinkSync(join(dir, 'a'))
    const predecessor = { told: [told(`${dir}/a`, ops.REMOVE, Date.now() + 60_000)], seen }
    const running = await serving(specOf(dir, 'REMOVE'), { predecessor })
    await running.until((h) => h.advanced.length > 0)
    assert.equal(running.emitted.length, 0)
    writeFileSync(join(dir, 'a'), '2')
    await running.until((h) => h.advanced.length > 1)
    unlinkSync(join(dir, 'a'))
    await running.until((h) => h.emitted.length === 1)
    await running.stop()
  })

  test('there and back, and there again after they told more than can be read: none of it is told again', async () => {
    const dir = directory()
    const spec = specOf(dir, 'CREATE')
    const left = await leftByOurs(dir, spec)
    for (const name of ['long-ago', 'lately']) {
      writeFileSync(join(dir, name), '')
      await aMomentLater()
    }
    const seen = await seenOf(spec)
    const theirs = [told(`${dir}/lately`, ops.CREATE, Date.now())]
    await aMomentLater()
    writeFileSync(join(dir, 'nobody'), '')
    const next = await serving(spec, { ...left, predecessor: { told: theirs, more: true, seen } })
    await next.until((h) => h.emitted.length >= 1)
    await next.stop()
    assert.deepEqual(names(next), [`${dir}/nobody`])
  })

  test('there and back, and there again: what they told before they were looked at is not told again', async () => {
    const dir = directory()
    const spec = specOf(dir, 'CREATE')
    const left = await leftByOurs(dir, spec)
    writeFileSync(join(dir, 'theirs'), '')
    await aMomentLater()
    const toldByThem = [told(`${dir}/theirs`, ops.CREATE, Date.now())]
    await aMomentLater()
    const seen = await seenOf(spec)
    writeFileSync(join(dir, 'nobody'), '')
    const next = await serving(spec, { ...left, predecessor: { told: toldByThem, seen } })
    await next.until((h) => h.emitted.length >= 1)
    await next.stop()
    assert.deepEqual(names(next), [`${dir}/nobody`])
  })

  for (const kind of ['CREATE', 'WRITE'] as const)
    for (const looked of ['late', 'never'] as const)
      test(`${kind}: what theirs were behind with when they ended is told, looked at ${looked}`, async () => {
        const dir = directory()
        const spec = specOf(dir, kind)
        const make = async (name: string) => {
          if (kind === 'WRITE') writeFileSync(join(dir, name), 'of old', { flag: 'wx' })
          await aMomentLater()
          return () => appendFileSync(join(dir, name), 'new')
        }
        const [long, last, behind] = [await make('long-ago'), await make('last'), await make('behind')]
        for (const one of [long, last, behind]) {
          one()
          await aMomentLater()
        }
        // Theirs told the second when the third was there already.
        const theirs = [told(`${dir}/long-ago`, ops[kind], Date.now()), told(`${dir}/last`, ops[kind], Date.now())]
        const seen = looked === 'late' ? await seenOf(spec) : null
        const running = await serving(spec, { predecessor: { told: theirs, seen } })
        await running.until((h) => h.emitted.length >= 1)
        await running.stop()
        assert.deepEqual(names(running), [`${dir}/behind`])
      })

  test('what lies there from long before, of which nothing read tells, is not told', async () => {
    const dir = directory()
    for (const name of ['unread', 'last']) {
      writeFileSync(join(dir, name), 'x')
      await aMomentLater()
    }
    const predecessor = { told: [told(`${dir}/last`, ops.CREATE, Date.now())], seen: null }
    const running = await serving(specOf(dir, 'CREATE'), { predecessor })
    writeFileSync(join(dir, 'next'), 'x')
    await running.until((h) => h.emitted.length >= 1)
    await running.stop()
    assert.deepEqual(names(running), [`${dir}/next`])
  })
})

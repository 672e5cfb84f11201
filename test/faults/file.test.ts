/** A directory in which much happens while those who watch it are killed and frozen: each file's fate is told once. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { delivery } from '../origins/file.ts'
import { deliveryContract } from './delivery.ts'
import { makeKnown, startWork } from './directory.ts'
import { dataOf, type Line, nextLeader, type Rig, startRig, waitFor } from './rig.ts'
import { assertTermsRise, storedIn } from './terms.ts'

for (const adapter of delivery()) deliveryContract(adapter)

const entries = { created: 'CREATE', written: 'WRITE', removed: 'REMOVE', renamed: 'RENAME' } as const
type Entry = keyof typeof entries

const watching = (directory: string) => () =>
  `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: disk
spec:
  replicas: 3
  file:
${Object.entries(entries)
  .map(
    ([entry, op]) => `    ${entry}:
      eventType: ${op}
      watchPathConfig:
        directory: ${directory}
        pathRegexp: .*
`,
  )
  .join('')}`

/** How often each name was told of, by entry. */
function toldIn(lines: Line[]): Record<Entry, Map<string, number>> {
  const told = { created: new Map(), written: new Map(), removed: new Map(), renamed: new Map() }
  for (const line of lines) {
    const entry = line.subject.split('.').at(-1) as Entry
    const name = basename((dataOf(line) as { name: string }).name)
    told[entry].set(name, (told[entry].get(name) ?? 0) + 1)
  }
  return told
}

/** What is done now is told by each of the entries, so what was done before has been, too. */
async function everythingTold(rig: Rig, directory: string, name: string): Promise<void> {
  const isTold = async (entry: Entry, ...names: string[]) => {
    await waitFor(async () => {
      const { stdout } = await rig.cli('tail', '--entry', entry, '-n', '5', '--json')
      const told = toldIn(
        stdout
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Line),
      )[entry]
      return names.some((one) => told.has(one))
    }, 20_000)
  }
  const path = join(directory, name)
  writeFileSync(path, '')
  await isTold('created', name)
  appendFileSync(path, 'something')
  await isTold('written', name)
  renameSync(path, `${path}-moved`)
  await isTold('renamed', name)
  unlinkSync(`${path}-moved`)
  // This entry may not have looked since before the renaming: then to it the file is gone under its first name.
  await isTold('removed', `${name}-moved`, name)
}

/** What an entry finds at its very first look is not told: so files come, change and go until each entry has told of one. */
async function firstLooks(rig: Rig, directory: string): Promise<void> {
  let n = 0
  await waitFor(async () => {
    const path = join(directory, `first${n++}`)
    writeFileSync(path, '')
    await pause(100)
    appendFileSync(path, 'something')
    await pause(100)
    renameSync(path, `${path}-moved`)
    await pause(100)
    unlinkSync(`${path}-moved`)
    return Object.values(toldIn(await rig.lines())).every((names) => names.size > 0)
  }, 20_000)
}

test('files come, change and go while the watching process is killed and frozen: each fate is told once, terms never go back', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vedette-watched-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const known = makeKnown(directory, 300)
  const rig = await startRig(watching(directory))
  t.after(() => rig.close(t))
  let leader = await nextLeader(rig, 'disk', null)
  await firstLooks(rig, directory)

  const worker = startWork(t, directory, known, 400)
  for (let i = 0; i < 3; i++) {
    await pause(1000 + Math.random() * 1000)
    process.kill(leader.pid, 'SIGKILL')
    leader = await nextLeader(rig, 'disk', leader)
  }
  await pause(1500)
  // Frozen with an append in flight: the bus stands still until the leader has sent one and stands still, too.
  const bus = await rig.busPid()
  process.kill(bus, 'SIGSTOP')
  worker.burst(500)
  await pause(400)
  process.kill(leader.pid, 'SIGSTOP')
  process.kill(bus, 'SIGCONT')
  const frozen = leader
  const frozenMs = performance.now()
  leader = await nextLeader(rig, 'disk', frozen)
  const takenMs = performance.now() - frozenMs
  await pause(4000 - takenMs)
  process.kill(frozen.pid, 'SIGCONT')
  await waitFor(async () => {
    const replica = (await rig.status()).eventSources[0]!.replicas.find(({ id }) => id === frozen.id)!
    return replica.state === 'standby' && replica.pid === frozen.pid
  })
  await pause(1000)
  process.kill(leader.pid, 'SIGKILL')
  leader = await nextLeader(rig, 'disk', leader)
  await pause(1000)
  worker.stop()
  await everythingTold(rig, directory, 'last')
  assert.equal(await rig.stop(), 0)

  const lines = await rig.lines()
  const ids = new Set(lines.map(({ event }) => event.id))
  assert.equal(ids.size, lines.length, 'an id is on the log twice')
  const { created, written, removed, renamed } = toldIn(lines)
  const isKnown = (name: string) => name.startsWith('known-')
  const told = (counts: Map<string, number>, names: Iterable<string>, what: string) => {
    const wrong = [...names].filter((name) => counts.get(name) !== 1)
    assert.deepEqual(wrong, [], `${what} not told exactly once: ${wrong.map((name) => counts.get(name) ?? 0)}`)
  }
  told(
    created,
    [...worker.present].filter((name) => !isKnown(name)),
    'the creation of files that are there',
  )
  told(removed, [...worker.removed].filter(isKnown), 'the removal of known files')
  told(renamed, [...worker.renamed.keys()].filter(isKnown), 'the renaming of known files')
  const unwritten = [...worker.written].filter((name) => isKnown(name) && !written.has(name))
  assert.deepEqual(unwritten, [], 'a known file was written, and nothing told of it')
  // What comes and goes within a gap may not be told of at all, but never twice, and never what did not happen.
  for (const [name, times] of created) assert.equal(times, 1, `${name} was created once`)
  for (const [name, times] of removed) {
    assert.equal(times, 1, `${name} was removed once`)
    assert.ok(worker.removed.has(name) || /^(first\d+|last)(-moved)?$/.test(name), `${name} was not removed`)
  }
  for (const [name, times] of renamed) {
    assert.equal(times, 1, `${name} was renamed once`)
    assert.ok(worker.renamed.has(name) || /^(first\d+|last)$/.test(name), `${name} was not renamed`)
  }
  const terms = assertTermsRise(await storedIn(rig.data, 'disk'))
  t.diagnostic(
    `${lines.length} events of ${worker.present.size + worker.removed.size} files; terms ${[...terms].map(([term, n]) => `${term}: ${n}`).join(', ')}; ` +
      `frozen: another led after ${takenMs.toFixed(0)} ms; terms refused by the bus: ${rig.log().split('refused the term').length - 1}`,
  )
  // Two of the six are killed a second or two after they have begun: on a busy machine they may not have come to tell anything.
  assert.ok(terms.size >= 4, 'each leader that is let to has told of something')
})

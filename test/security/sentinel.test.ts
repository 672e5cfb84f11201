/** Credentials that are marked, in every field of every type that can hold one, and every place where they could turn up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { echoServer } from './echo-server.ts'
import { freePorts } from '../servers/process.ts'
import { type Sentinels, sentinels, shownIn } from './sentinels.ts'
import { ground, runSinks, type Sinks, type Status, validateSinks, type Without } from './sinks.ts'

const LIMIT_MS = 240_000

function clean(sinks: Sinks, marked: Sentinels): void {
  for (const [sink, text] of Object.entries(sinks)) assert.deepEqual(shownIn(text, marked), [], `shown in: ${sink}`)
}

test('every field of every type: started, against a server that echoes what it is sent; no sink shows a mark', { timeout: LIMIT_MS }, async (t) => {
  const echo = await echoServer()
  t.after(echo.close)
  const marked = await sentinels(echo.port, (await freePorts(2)) as [number, number])
  const place = ground(t, marked.objects, marked.files)
  const sinks = await runSinks(t, place, { limitMs: LIMIT_MS / 2 })
  const { eventSources } = JSON.parse(sinks.status) as Status
  const entries = eventSources.flatMap((one) => one.entries)
  t.diagnostic(`${entries.length} entries, ${marked.marks.size} marks, ${echo.connections()} connections to the echo`)
  assert.ok(entries.filter(({ error }) => error !== null).length > marked.marks.size / 3, 'most of them failed')
  assert.ok(echo.connections() > 20, 'the echo was asked')
  clean({ ...sinks, ...(await validateSinks(place)) }, marked)
  clean(await validateSinks(ground(t, marked.refused, new Map())), marked)
})

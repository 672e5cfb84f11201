/** The bench on JetStream runs, and the order of magnitude that it is there to show is still so. The figures: docs/performance.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { race, ratios } from '../../bench/jetstream/race.ts'
import { median } from '../../bench/measure.ts'
import { without } from '../servers/cache.ts'
import { natsBinary, startNats } from '../servers/nats.ts'

test('webhooks onto a bus that is 1 ms away: at least 1.5 times the rate of publishing one at a time', {
  skip: without('nats-server', natsBinary('newest')),
}, async (t) => {
  const nats = await startNats()
  t.after(() => nats.close())
  const say = (line: string) => t.diagnostic(line)
  // Judges by itself that nothing was refused and that the stream has all that was acknowledged.
  const laps = await race({ urls: nats.urls, delayMs: 1 }, { seconds: 0.5, rounds: 3, connections: [32], say })
  const faster = median(ratios(laps.get(32)!, 'awaited', 'rate'))
  // Measured: more than ten times, also on a busy machine.
  assert.ok(faster >= 1.5, `only ${faster.toFixed(1)} times`)
})

/**
 * Some minutes of the campaign (test/chaos), with a seed that nobody has seen: a run on each kind of bus, and more as long as there is time.
 * VEDETTE_CHAOS_SEED repeats what a former one did; VEDETTE_FULL=1 takes longer.
 */

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { campaign } from '../chaos/campaign.ts'
import { availability } from '../chaos/origins.ts'
import { BUSES, type BusName } from '../chaos/plan.ts'
import { TRAITS } from '../chaos/traits.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { kafkaJars } from '../servers/kafka.ts'
import { natsBinary } from '../servers/nats.ts'

const seed = Number(process.env.VEDETTE_CHAOS_SEED ?? randomInt(2 ** 31))
const there = [...availability()].filter(([, missing]) => missing === false).map(([name]) => name)
/** What starts slowly has its turn in the full run. */
const origins = there.filter((name) => FULL || !TRAITS[name]!.heavy)

const kinds: { bus: string; skip: string | false; buses: BusName[] }[] = [
  { bus: 'the embedded bus', skip: false, buses: ['embedded'] },
  {
    bus: 'JetStream',
    skip: without('nats-server', natsBinary('newest')),
    buses: BUSES.filter((name) => name.startsWith('jetstream')),
  },
  // Three brokers take long to come up: they have their turn in the full run.
  { bus: 'Kafka', skip: without('Kafka', kafkaJars()), buses: FULL ? ['kafka-1', 'kafka-3'] : ['kafka-1'] },
]

for (const [i, { bus, skip, buses }] of kinds.entries()) {
  test(`faults that nobody has drawn before, on ${bus}, seed ${seed}: all is kept, and everything is served again`, {
    skip,
    timeout: FULL ? 1_800_000 : 600_000,
  }, async (t) => {
    const { judged, violated } = await campaign({
      // Elsewhere other things happen.
      ...{
        seed: seed + 1_000 * i,
        buses,
        origins,
        replay: null,
        jobs: 1,
        tries: FULL ? 6 : 2,
        out: null,
        commit: 'this one',
      },
      ...{ runs: Number.POSITIVE_INFINITY, forMs: FULL ? 300_000 : 30_000 },
      keep: join(tmpdir(), 'vedette-chaos'),
      say: (line) => t.diagnostic(line),
    })
    assert.equal(violated, 0, `VEDETTE_CHAOS_SEED=${seed} repeats it`)
    assert.ok(judged > 0, 'no run could be judged')
  })
}

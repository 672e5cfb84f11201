/**
 * Readers of the API against writers: whoever reads, however much and however badly, honest senders beside them are answered, a commit waits
 * no more than 50 ms for them, and memory stays flat. Rows S2, S3 and S16 of the list of attacks.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent } from 'node:http'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Rig, startRig } from '../faults/rig.ts'
import { FULL } from '../full.ts'
import { kinds } from './reading/attack.ts'
import { figuresOf, post, sendHonestly } from './reading/honest.ts'
import { mostHeld } from './reading/memory.ts'

const BIG_EVENTS = FULL ? 1200 : 150
/** Becomes an event of some 900 KB. */
const BIG_BYTES = 660_000
const ATTACK_MS = FULL ? 10_000 : 1_500
const MOST_BYTES = 300 << 20
/** What two busy cores add by themselves: of some hundred requests beside the other tests, the slowest. Alone (FULL) there is less. */
const NOISE_MS = FULL ? 100 : 500
/** So much a reader may move the p99 of a commit. */
const COMMIT_MS = 50

const manifest = ([port]: number[]) => `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: shop }
spec:
  replicas: 2
  webhook:
    orders: { port: "${port}", endpoint: /orders, method: POST }
`

async function fill(rig: Rig): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const body = Buffer.from(JSON.stringify({ filler: 'x'.repeat(BIG_BYTES) }))
  let left = BIG_EVENTS
  const sender = async () => {
    while (left-- > 0) assert.equal(await post(agent, ordersUrl(rig), body), '200')
  }
  await Promise.all([1, 2, 3, 4].map(sender))
  agent.destroy()
}

const ordersUrl = (rig: Rig) => `http://127.0.0.1:${rig.ports[0]}/orders`

async function processesOf(rig: Rig): Promise<number[]> {
  return [rig.supervisor.pid!, await rig.busPid(), ...(await rig.hostPids())]
}

/** Honest senders for a while, beside readers of a kind or alone. */
async function beside(rig: Rig, pids: number[], kind: string | null, ms = ATTACK_MS) {
  const script = fileURLToPath(new URL('./reading/attack.ts', import.meta.url))
  const attacker =
    kind === null ? null : spawn(process.execPath, [script, rig.api, kind], { stdio: ['ignore', 'ignore', 'inherit'] })
  const gone = attacker === null ? null : once(attacker, 'exit')
  try {
    const over = AbortSignal.timeout(ms)
    const [seen, held] = await Promise.all([sendHonestly(ordersUrl(rig), over), mostHeld(pids, over)])
    return { ...figuresOf(seen), held }
  } finally {
    attacker?.kill('SIGKILL')
    await gone
  }
}

test('readers of every kind: honest senders are answered as if there were none', async (t: TestContext) => {
  const rig = await startRig(manifest)
  t.after(() => rig.close(t))
  await fill(rig)
  const pids = await processesOf(rig)
  await beside(rig, pids, null, 1000)
  const quiet = await beside(rig, pids, null)
  t.diagnostic(`quiet: ${JSON.stringify(quiet)}`)
  const wrong: string[] = []
  for (const name of Object.keys(kinds)) {
    const seen = await beside(rig, pids, name)
    t.diagnostic(`${name}: ${JSON.stringify(seen)}`)
    if (seen.success < 0.999) wrong.push(`${name}: ${seen.failed} of ${seen.requests}`)
    if (seen.p99 > Math.max(5 * quiet.p99, NOISE_MS)) wrong.push(`${name}: p99 ${seen.p99} ms, quiet ${quiet.p99} ms`)
    if (seen.p99 > quiet.p99 + COMMIT_MS + NOISE_MS)
      wrong.push(`${name}: p99 moved to ${seen.p99} from ${quiet.p99} ms`)
    if (seen.held > MOST_BYTES) wrong.push(`${name}: a process held ${Math.round(seen.held / 2 ** 20)} MiB`)
  }
  assert.deepEqual(wrong, [])
  assert.deepEqual(await processesOf(rig), pids, 'no process has been replaced')
  assert.doesNotMatch(rig.log(), /does not answer|started again/)
})

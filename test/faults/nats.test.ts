/** Core NATS: see delivery.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@nats-io/transport-node'
import { manifest } from '../origins/broker.ts'
import { natsAdapter } from '../origins/nats.ts'
import { without } from '../servers/cache.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { deliveryContract } from './delivery.ts'
import { nextLeader, startRig, waitFor } from './rig.ts'

deliveryContract(natsAdapter())

test('every replica hears what can never become an event: it counts once, and is shown with its subject', {
  skip: without('nats-server', natsBinary('newest')),
}, async (t) => {
  const nats = await startNats()
  t.after(() => nats.close())
  const nc = await connect({ servers: nats.urls })
  t.after(() => nc.close())
  const rig = await startRig(() => manifest('nats', `url: ${nats.urls[0]}\nsubject: numbers\njsonBody: true`, 3))
  t.after(() => rig.close(t))
  await nextLeader(rig, 'queue', null)
  const entry = async () => (await rig.status()).eventSources[0]!.entries[0]!
  // Until somebody leads and is subscribed nothing is heard.
  await waitFor(async () => {
    nc.publish('numbers', '{"n":0}')
    await nc.flush()
    return (await rig.lines()).length > 0
  }, 30_000)
  nc.publish('numbers', 'no json')
  await nc.flush()
  await waitFor(async () => (await entry()).skipped > 0, 30_000)
  const before = (await rig.lines()).length
  nc.publish('numbers', '{"n":1}')
  await nc.flush()
  await waitFor(async () => (await rig.lines()).length > before, 30_000)
  const { skipped, error } = await entry()
  assert.equal(skipped, 1)
  assert.match(error!, /^skipped a message on subject numbers: .*invalid character.*; NATS does not keep it$/)
  assert.equal(await rig.stop(), 0)
})

/** Pulsar: see delivery.ts. */

import { after } from 'node:test'
import { FULL } from '../full.ts'
import { sharedServer } from '../origins/broker.ts'
import { pulsarAdapter, pulsarChunksAdapter } from '../origins/pulsar.ts'
import { startPulsar } from '../servers/pulsar.ts'
import { deliveryContract } from './delivery.ts'

const pulsar = sharedServer(startPulsar)
after(pulsar.close)

for (const variant of ['exclusive', 'shared'] as const) {
  deliveryContract(pulsarAdapter(pulsar.get, variant))
  if (variant === 'exclusive' || FULL) deliveryContract(pulsarChunksAdapter(pulsar.get, variant))
}

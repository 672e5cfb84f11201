/** Emitter: see delivery.ts. */
import { emitterAdapter } from './brokers/emitter.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(emitterAdapter())

/** Emitter: see delivery.ts. */
import { emitterAdapter } from '../origins/emitter.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(emitterAdapter())

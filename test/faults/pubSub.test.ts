/** Pub/Sub: see delivery.ts. */
import { pubSubAdapter } from '../origins/pubSub.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(pubSubAdapter())

/** Pub/Sub: see delivery.ts. */
import { pubSubAdapter } from './brokers/pubSub.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(pubSubAdapter())

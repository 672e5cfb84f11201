/** Core NATS: see delivery.ts. */
import { natsAdapter } from './brokers/nats.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(natsAdapter())

/** The generic contract: see delivery.ts. */
import { genericAdapter } from './brokers/generic.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(genericAdapter())

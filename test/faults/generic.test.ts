/** The generic contract: see delivery.ts. */
import { genericAdapter } from '../origins/generic.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(genericAdapter())

/** NSQ: see delivery.ts. */
import { nsqAdapter } from '../origins/nsq.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(nsqAdapter())

/** NSQ: see delivery.ts. */
import { nsqAdapter } from './brokers/nsq.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(nsqAdapter())

/** A kube-apiserver: see delivery.ts. */
import { resourceAdapter } from './brokers/resource.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(resourceAdapter())

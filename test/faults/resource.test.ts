/** A kube-apiserver: see delivery.ts. */
import { resourceAdapter } from '../origins/resource.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(resourceAdapter())

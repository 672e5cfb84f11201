/** HDFS: see delivery.ts. With one name node, and with two. */
import { after } from 'node:test'
import { delivery } from '../origins/hdfs.ts'
import { sharing } from '../origins/suites.ts'
import { deliveryContract } from './delivery.ts'

for (const adapter of delivery(sharing(after))) deliveryContract(adapter)

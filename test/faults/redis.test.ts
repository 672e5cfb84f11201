/** Redis Pub/Sub: see delivery.ts. */
import { redisAdapter } from '../origins/redis.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(redisAdapter())

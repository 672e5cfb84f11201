/** Redis Pub/Sub: see delivery.ts. */
import { redisAdapter } from './brokers/redis.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(redisAdapter())

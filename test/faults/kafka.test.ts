/** Kafka: see delivery.ts. */
import { after } from 'node:test'
import { sharedServer } from '../origins/broker.ts'
import { kafkaAdapters } from '../origins/kafka.ts'
import { startKafka } from '../servers/kafka.ts'
import { deliveryContract } from './delivery.ts'

const kafka = sharedServer(startKafka)
after(kafka.close)

for (const adapter of kafkaAdapters(kafka.get)) deliveryContract(adapter)

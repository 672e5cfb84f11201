/** Kafka: see delivery.ts. */
import { after } from 'node:test'
import { startKafka } from '../servers/kafka.ts'
import { sharedServer } from './broker.ts'
import { kafkaAdapters } from './brokers/kafka.ts'
import { deliveryContract } from './delivery.ts'

const kafka = sharedServer(startKafka)
after(kafka.close)

for (const adapter of kafkaAdapters(kafka.get)) deliveryContract(adapter)

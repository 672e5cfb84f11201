/** Mosquitto: see delivery.ts. */
import { mqttAdapters } from './brokers/mqtt.ts'
import { deliveryContract } from './delivery.ts'

for (const adapter of mqttAdapters()) deliveryContract(adapter)

/** Mosquitto: see delivery.ts. */
import { mqttAdapters } from '../origins/mqtt.ts'
import { deliveryContract } from './delivery.ts'

for (const adapter of mqttAdapters()) deliveryContract(adapter)

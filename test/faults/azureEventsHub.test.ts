/** Azure Event Hubs: see delivery.ts. */
import { eventHubsAdapter } from './brokers/azureEventsHub.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(eventHubsAdapter())

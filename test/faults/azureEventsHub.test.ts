/** Azure Event Hubs: see delivery.ts. */
import { eventHubsAdapter } from '../origins/azureEventsHub.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(eventHubsAdapter())

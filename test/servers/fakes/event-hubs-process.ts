/** The Event Hubs double as a process of its own: its options are JSON in the environment. SIGTERM ends it gracefully. */
import { startFakeEventHubs } from './event-hubs.ts'

const server = await startFakeEventHubs(JSON.parse(process.env.EVENT_HUBS_DOUBLE!))
process.stdout.write('listening\n')
process.once('SIGTERM', () => {
  void server.close().then(() => process.exit(0))
})

/**
 * A stand-in for Argo Events' program, in an image of its name. Their program and its code are not in this repository; what its
 * Pods do, as far as an exchange is concerned, is done here after what was observed of it: how they elect (client-go's own elector, or graft's
 * heartbeats), that they keep no position, connect to the bus by TLS without verifying it and come back to it only every five seconds, what they publish byte for byte,
 * and how they end. `controller` only stays alive: what it does to objects is played by the test (argo-events.ts). So do the webhook and Sensors.
 */
import { serveEventSource } from './eventSource.ts'

const [command = ''] = process.argv.slice(2)
if (command === 'eventsource-service') await serveEventSource(process.env)
else {
  const alive = setInterval(() => {}, 60_000)
  process.once('SIGTERM', () => clearInterval(alive))
}

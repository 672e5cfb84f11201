/**
 * A way to the bus that takes longer, as a process of its own so that it does not slow the sender down.
 *
 *   node bench/jetstream/delay.ts PORT MS
 *
 * Forwards to a loopback port, each direction MS milliseconds late. Writes its own port as one line.
 */
import { startProxy } from '../../test/servers/proxy.ts'

const [target, delayMs] = process.argv.slice(2).map(Number) as [number, number]
console.log((await startProxy(target, { delayMs })).port)

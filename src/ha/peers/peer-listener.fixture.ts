/** The holder's side as a process of its own: prints its address as one line of JSON, then serves until it is killed. */
import { systemClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/log.ts'
import { listenForPeers } from './peer-listener.ts'

const { address } = await listenForPeers({
  host: '127.0.0.1',
  port: 0,
  lease: process.argv[2] ?? '',
  clock: systemClock,
  log: silentLogger,
})
console.log(JSON.stringify(address))

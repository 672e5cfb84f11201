/** S4 by TLS: attacks on the handshake, and those that come through one, while honest senders send beside them. */
import { type Plan, repeat } from './listener/repeat.ts'
import { secureRun } from './listener/target.ts'

const PLANS: (Plan | Plan[])[] = [
  { kind: 'half of a handshake' },
  { kind: 'half of a handshake', manyAddresses: true },
  { kind: 'a handshake byte by byte' },
  { kind: 'garbage instead of a handshake' },
  { kind: 'a record that never ends' },
  { kind: 'renegotiations' },
  { kind: 'handshakes and nothing more', full: true },
  { kind: 'a byte of body', sockets: 1000, full: true },
  [
    { kind: 'half of a handshake', sockets: 1500 },
    { kind: 'a handshake byte by byte', sockets: 600 },
    { kind: 'garbage instead of a handshake', sockets: 200 },
    { kind: 'a record that never ends', sockets: 600 },
    { kind: 'renegotiations', sockets: 4 },
    { kind: 'silence', sockets: 100 },
    { kind: 'a byte of body', sockets: 100 },
  ],
]

repeat('a run with TLS', secureRun, PLANS)

/** The beginning of TLS, as bytes that an attacker may send as he likes. */
import { Duplex } from 'node:stream'
import { connect } from 'node:tls'

/** A whole ClientHello of this Node. */
export function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        resolve(chunk)
        done()
      },
    })
    connect({ socket: wire, servername: 'localhost' }).on('error', () => {})
  })
}

/** The head of a record of a handshake, 16,384 bytes long, and most of it. */
export const endlessRecord = Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0]), Buffer.alloc(16_000, 1)])

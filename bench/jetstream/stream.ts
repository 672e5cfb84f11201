/** The stream before the race begins, and what it says of each lap. */
import { type JetStreamManager, jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { ensureStream, STREAM, whenLed } from '../../src/bus/jetstream/stream.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { waitFor } from '../../test/faults/rig.ts'

/**
 * Makes the stream as the product makes it, with a replica on each server. @returns the address of the server that leads it: with every
 * contestant on that one, none has a longer way than the others
 */
export async function prepareStream(urls: string[]): Promise<string> {
  return await asking(urls, async (jsm, version) => {
    let found: StreamInfo | null = null
    // Servers that just started have no leader yet, on a busy machine for longer than a question waits.
    await waitFor(async () => {
      try {
        found = await whenLed(jsm, systemClock)
        return true
      } catch {
        return false
      }
    }, 60_000)
    const streamConfig = `replicas: ${urls.length}`
    const versions = async () => [version]
    await ensureStream(jsm, found, { versions, streamConfig, upgrade: true, clock: systemClock, log: silentLogger })
    const { cluster } = await jsm.streams.info(STREAM)
    // startNats calls its servers n0, n1, n2, in the order of their addresses.
    return urls[Number(cluster?.leader?.slice(1) ?? 0)] ?? urls[0]!
  })
}

/** The last sequence number of the stream. */
export async function lastSeq(url: string): Promise<number> {
  return await asking([url], async (jsm) => (await jsm.streams.info(STREAM)).state.last_seq)
}

async function asking<T>(servers: string[], ask: (jsm: JetStreamManager, version: string) => Promise<T>): Promise<T> {
  const nc = await connect({ servers })
  try {
    return await ask(await jetstreamManager(nc, { checkAPI: false }), nc.info?.version ?? '')
  } finally {
    await nc.close()
  }
}

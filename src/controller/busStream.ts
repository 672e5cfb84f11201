/**
 * The stream of a native bus, and its buckets, as Pods want them: made, and raised to what its servers can do. The controller does it, with the login that all share,
 * since an EventSource's own may change no stream, and a Sensor of Argo Events that comes first makes one without atomic batches.
 */
import { openJetStream } from '../bus/jetstream/bus.ts'
import { connectNats } from '../clients/nats.ts'
import type { Clock } from '../core/clock.ts'
import { silentLogger as log } from '../core/log.ts'
import { whenConnected } from '../local/whenConnected.ts'

export interface StreamAccess {
  url: string
  login: { user: string; password: string }
  /** PEM text of the authority of the servers' certificates. */
  ca: string
  /** Upstream's YAML text. */
  streamConfig: string
}

/** @returns null: it is as it should be; a text: why that cannot be seen to. Never throws */
export type PrepareStream = (access: StreamAccess) => Promise<string | null>

export function prepareStream(clock: Clock): PrepareStream {
  return async ({ url, login: { user, password }, ca, streamConfig }) => {
    const client = connectNats({
      servers: [url],
      name: 'vedette controller',
      credentials: async () => ({ user, pass: password }),
      tls: { files: async () => ({ ca }), insecureSkipVerify: false },
      clock,
      log,
    })
    const bus = openJetStream({ client, streamConfig, clock, log })
    try {
      await whenConnected(bus, clock)
      const status = bus.status()
      return status.connected ? null : status.error
    } finally {
      await bus.close()
    }
  }
}

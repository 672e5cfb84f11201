/**
 * A process of its own that reads, so that what it costs is not on the clock of those beside it: `attack.ts API NAME`, until it is killed.
 */
import { Agent, get } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

interface Kind {
  /** At a time. */
  many: number
  path(i: number): string
  /** Takes what it is sent. */
  reads: boolean
}

export const kinds: Record<string, Kind> = {
  'scans for a source that does not exist': {
    many: 16,
    path: () => '/v1/events?from=start&source=nosuch',
    reads: true,
  },
  'the same, begun anew at each end': {
    many: 16,
    path: (i) => `/v1/events?from=start&source=nosuch${i}&follow=false`,
    reads: true,
  },
  'all of it, by a limit beyond everything': {
    many: 8,
    path: () => '/v1/events?limit=900000000&follow=false',
    reads: true,
  },
  'readers that take nothing': {
    many: 60,
    path: (i) => `/v1/events?from=start&limit=${900_000_000 - i}`,
    reads: false,
  },
  'hundreds of followers': { many: 400, path: () => '/v1/events', reads: true },
  'status and metrics': { many: 40, path: (i) => ['/v1/status', '/metrics', '/readyz'][i % 3]!, reads: true },
}

const AGAIN_MS = 200

/** One request; resolves when it is over. */
const ask = (url: string, agent: Agent, reads: boolean): Promise<void> =>
  new Promise((over) => {
    const sent = get(url, { agent }, (answer) => {
      answer.on('error', () => {})
      if (reads || answer.statusCode !== 200) answer.resume()
    })
    sent.on('error', () => {})
    // An answer that nobody takes never closes, its socket does.
    sent.on('close', over).on('socket', (socket) => socket.on('close', () => over()))
  })

async function attack(api: string, { many, path, reads }: Kind): Promise<void> {
  // Until it is killed, also when nobody lets it in.
  setInterval(() => {}, 60_000)
  const agent = new Agent({ keepAlive: false })
  const one = async (i: number) => {
    for (;;) {
      await ask(`${api}${path(i)}`, agent, reads)
      await pause(AGAIN_MS)
    }
  }
  await Promise.all(Array.from({ length: many }, (_, i) => one(i)))
}

const [, script = '', api, name] = process.argv
if (import.meta.url.endsWith(script) && api !== undefined && name !== undefined) await attack(api, kinds[name]!)

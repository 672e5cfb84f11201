/** How they elect. A lead lasts while its signal does not abort. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { type BusConfig, open } from './bus.ts'

type Lead = (signal: AbortSignal) => void

export const ELECTOR = '/usr/local/bin/elector'
const TIMING = [
  ['LEASE_DURATION', '5s'],
  ['RENEW_DEADLINE', '2s'],
  ['RETRY_PERIOD', '1s'],
] as const
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** By client-go's own elector, as a process: it gives the Lease back first, and the worker ends after that. */
export async function electByLease(
  lease: { namespace: string; name: string },
  lead: Lead,
  end: AbortController,
): Promise<void> {
  const { POD_NAME = '' } = process.env
  const timing = TIMING.map(([name, otherwise]) => process.env[`LEADER_ELECTION_${name}`] ?? otherwise)
  const elector = spawn(ELECTOR, [kubeconfig(), lease.namespace, lease.name, POD_NAME, ...timing], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  end.signal.addEventListener('abort', () => elector.kill('SIGTERM'))
  let term = new AbortController()
  createInterface(elector.stdout).on('line', (line) => {
    console.log(line)
    if (line.endsWith(' stops')) term.abort()
    if (!line.endsWith(' leads')) return
    term = new AbortController()
    lead(term.signal)
  })
  await once(elector, 'exit')
  term.abort()
}

function kubeconfig(): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
  const file = '/tmp/kubeconfig'
  const cluster = { server: `https://${host}:${port}`, 'certificate-authority': `${ACCOUNT}/ca.crt` }
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'pod' },
    clusters: [{ name: 'pod', cluster }],
    users: [{ name: 'pod', user: { tokenFile: `${ACCOUNT}/token` } }],
    contexts: [{ name: 'pod', context: { cluster: 'pod', user: 'pod' } }],
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

const HEARTBEAT_MS = 100

/**
 * By graft, for an EventSource of one replica: a majority is oneself. Who hears nobody for half a second to a second leads and beats; who hears
 * a newer term follows. It ends without waiting for its worker.
 */
export async function electByHeartbeats(
  cluster: string,
  config: BusConfig,
  lead: Lead,
  end: AbortSignal,
): Promise<void> {
  const nc = await open(config, true)
  const id = randomBytes(13).toString('hex')
  let term = 0
  let leads: AbortController | null = null
  let heardMs = performance.now()
  const message = () => heartbeat(term, id)
  nc.subscribe(`graft.${cluster}.heartbeat`, {
    callback(_, { data }) {
      const [theirs, from] = termIn(data)
      if (from === id || theirs < term) return
      if (theirs > term && leads !== null) process.exit(1)
      if (leads === null) heardMs = performance.now()
      term = Math.max(term, theirs)
    },
  })
  const patience = () => 500 + Math.random() * 500
  const patienceMs = patience()
  while (!end.aborted) {
    if (leads !== null) nc.publish(`graft.${cluster}.heartbeat`, message())
    else if (performance.now() - heardMs > patienceMs) {
      term++
      nc.publish(`graft.${cluster}.vote_request`, message())
      leads = new AbortController()
      console.log(`leads with term ${term}`)
      lead(leads.signal)
    }
    await pause(HEARTBEAT_MS, undefined, { signal: end }).catch(() => {})
  }
}

/** protobuf: 1 the term, 2 who. */
function heartbeat(term: number, id: string): Buffer {
  return Buffer.concat([Buffer.from([0x08, ...varint(term), 0x12, id.length]), Buffer.from(id)])
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]
}

function termIn(data: Uint8Array): [term: number, id: string] {
  let [term, shift, at] = [0, 0, 1]
  for (; data[at]! >= 128; at++, shift += 7) term |= (data[at]! & 127) << shift
  term |= data[at]! << shift
  return [term, Buffer.from(data.subarray(at + 3)).toString()]
}

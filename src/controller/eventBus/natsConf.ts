/** The configuration of the NATS servers of a native JetStream bus: upstream's directives in upstream's order. */
import { stringify } from 'yaml'

/** Where the configuration and the certificates are mounted. */
export const CONFIG_DIR = '/etc/nats-config'
export const PID_FILE = '/var/run/nats/nats.pid'
export const DATA_DIR = '/data/jetstream'

export interface NatsConfInput {
  /** The EventBus's name: the cluster's name too. */
  cluster: string
  /** Host name of each server. */
  hosts: string[]
  maxPayload: string
  /** Text for the `jetstream {}` block. */
  settings: string
  /** What the disks are encrypted with. */
  encryption: Encryption
  /** The server knows `sync_interval`: NATS 2.10 and newer; older ones do not start with it. */
  syncs: boolean
}

/**
 * `constant`: the text `$JS_KEY` itself, since NATS puts no variable between quotes. That is upstream's, so its controller can go on with the disks.
 * `key`: that of the Secret; a lone server reads what was written with the constant, or with the key in the environment variable `previous`, and
 * writes it anew. Servers of a cluster cannot: their logs are read with the present key only, and they end (measured on 2.15.2).
 */
export type Encryption = { kind: 'constant' } | { kind: 'key'; previous?: string | undefined }

const CONSTANT = '"$JS_KEY"'

/** @param settings what the user has written into the block, who may name another previous key */
function encryptionLines(encryption: Encryption, alone: boolean, settings: string): string[] {
  if (encryption.kind === 'constant') return [`  key: ${CONSTANT}`]
  const { previous } = encryption
  const own = !alone || /\bprev_(encryption_key|key|ek)\b/.test(settings)
  const before = previous === undefined ? CONSTANT : `$${previous}`
  return ['  key: $JS_KEY', ...(own ? [] : [`  prev_encryption_key: ${before}`])]
}

/** Whether servers of this configuration need the key of the Secret for what is on their disks. */
export function usesKey(conf: string): boolean {
  return /^\s*key: \$JS_KEY$/m.test(conf)
}

/** Reads `$POD_NAME`, `$JS_KEY` and `$CLUSTER_ADVERTISE` from the environment, and `auth.conf` beside it. */
export function natsConf({ cluster, hosts, maxPayload, settings, encryption, syncs }: NatsConfInput): string {
  const alone = hosts.length < 3
  const lines = [
    `max_payload: ${maxPayload}`,
    'port: 4222',
    `pid_file: "${PID_FILE}"`,
    'http: 8222',
    'server_name: $POD_NAME',
    'jetstream {',
    ...encryptionLines(encryption, alone, settings),
    `  store_dir: "${DATA_DIR}/store"`,
    // A cluster's quorum stands for what one disk has not yet synced; a lone server has nobody.
    ...(alone && syncs && !/\bsync(_interval)?\b/.test(settings) ? ['  sync_interval: always'] : []),
    `  ${settings.trimEnd()}`,
    '}',
    ...(alone ? [] : clusterBlock(cluster, hosts)),
    'lame_duck_duration: 30s',
    'include ./auth.conf',
  ]
  return lines.join('\n')
}

function clusterBlock(name: string, hosts: string[]): string[] {
  return [
    'cluster {',
    '  port: 6222',
    `  name: ${name}`,
    `  routes: [${hosts.map((host) => `nats://${host}:6222`).join(',')}]`,
    '  cluster_advertise: $CLUSTER_ADVERTISE',
    '  connect_retries: 120',
    '  tls {',
    `  cert_file: "${CONFIG_DIR}/cluster-server-cert.pem"`,
    `  key_file:  "${CONFIG_DIR}/cluster-server-key.pem"`,
    `  ca_file:   "${CONFIG_DIR}/cluster-ca-cert.pem"`,
    '  }',
    '}',
  ]
}

/** `auth.conf`: one account for the events, one for the system, and TLS for clients. */
export function authConf(user: string, password: string, systemPassword: string): string {
  const account = (name: string, pass: string) => `    "users": [ {"user": "${name}", "pass": "${pass}"} ]`
  return [
    'system_account: sys',
    'accounts: {',
    '  "js": {',
    '    "jetstream": true,',
    account(user, password),
    '  },',
    '  "sys": {',
    account('sys', systemPassword),
    '  }',
    '}',
    'tls {',
    `  cert_file: "${CONFIG_DIR}/server-cert.pem"`,
    `  key_file:  "${CONFIG_DIR}/server-key.pem"`,
    `  ca_file:   "${CONFIG_DIR}/ca-cert.pem"`,
    '}',
  ].join('\n')
}

/** Stream settings in upstream's form: members lower-cased and sorted. */
export function streamConfigText(members: Record<string, unknown>): string {
  return stringify(Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1))))
}

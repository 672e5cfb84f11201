/**
 * The stream that holds everything: found or made, upgraded where that is allowed, and asked what it can do. Field and error
 * facts: https://docs.nats.io/nats-concepts/jetstream/streams, ADR-50 (atomic batches); measured on 2.15.2 and 2.9.10.
 */
import type { JetStreamManager, StreamConfig, StreamInfo } from '@nats-io/jetstream'
import { parse } from 'yaml'
import type { Clock } from '../../core/clock.ts'
import { parseDurationNs } from '../../core/duration.ts'
import { fail, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'

/** Upstream's stream and subjects. */
export const STREAM = 'default'
export const SUBJECTS = 'default.*.*'

/** How older terms are kept out. */
export type Fencing =
  /** Batches are atomic, and their first message names the term record they build on. */
  | { kind: 'batch' }
  /** Each message names it; written one after the other. */
  | { kind: 'message' }
  /** The server cannot refuse them. */
  | { kind: 'none'; reason: string; untilUpgraded?: true }

export interface StreamFacts {
  /** RFC 3339; another one means that the stream was deleted and made anew. */
  created: string
  replicas: number
  maxAgeMs: number
  maxMessages: number
  maxBytes: number
  dedupMs: number
  /** Of a message with its headers; 0: as the server's. */
  maxMessageBytes: number
  fencing: Fencing
}

/** Upstream's `streamConfig` text, with upstream's defaults for what is absent. @throws SPEC_INVALID */
export function wantedStream(text: string, clock: Clock): Partial<StreamConfig> & { name: string } {
  const given = lowerCased(parseYaml(text))
  const number = (key: string, otherwise: number) => {
    const value = Number(given[key] ?? otherwise)
    if (!Number.isFinite(value))
      throw fail('SPEC_INVALID', `streamConfig.${key} must be a number, it is ${JSON.stringify(given[key])}`)
    return value
  }
  const duration = (key: string, otherwise: string) => Number(parseDurationNs(String(given[key] ?? otherwise)))
  const retention = ['limits', 'interest', 'workqueue'][number('retention', 0)]
  if (retention === undefined)
    throw fail(
      'SPEC_INVALID',
      `streamConfig.retention must be 0 (limits), 1 (interest) or 2 (work queue), it is ${given.retention}`,
    )
  const maxAge = duration('maxage', '0')
  const window = duration('duplicates', '300s')
  return {
    name: STREAM,
    subjects: [SUBJECTS],
    retention: retention as StreamConfig['retention'],
    discard: (number('discard', 0) === 1 ? 'new' : 'old') as StreamConfig['discard'],
    max_msgs: number('maxmsgs', -1) || -1,
    max_bytes: number('maxbytes', -1) || -1,
    max_age: maxAge,
    // The server refuses a window that is longer than anything is kept.
    duplicate_window: maxAge > 0 ? Math.min(window, maxAge) : window,
    num_replicas: number('replicas', 1) || 1,
    storage: 'file' as StreamConfig['storage'],
    allow_direct: true,
    // Sequence numbers never repeat, even when the stream is deleted and made anew: an old fence can then not match by chance.
    first_seq: Math.floor(clock.now()),
  }
}

const ASK_EVERY_MS = 250

/**
 * What the stream's leader says of it, once there is one; null when the cluster says that there is no such stream. Asks again before
 * the last question has timed out: a leader that was elected meanwhile answers only what comes after. @throws what the first question was
 * answered that failed; the caller then begins anew, so that there is always a young one
 */
export function whenLed(jsm: JetStreamManager, clock: Clock): Promise<StreamInfo | null> {
  return new Promise((resolve, reject) => {
    let cancel = () => {}
    const ask = () => {
      cancel = clock.after(ASK_EVERY_MS, ask)
      info(jsm)
        .finally(() => cancel())
        .then(resolve, reject)
    }
    ask()
  })
}

/** Makes the stream unless it was found, or raises the one that was. @throws BUS_UNAVAILABLE what the server said */
export async function ensureStream(
  jsm: JetStreamManager,
  found: StreamInfo | null,
  {
    versions,
    streamConfig,
    upgrade,
    clock,
    log,
  }: {
    versions: () => Promise<string[]>
    streamConfig: string
    /** Whether an existing stream is to be asked to take atomic batches. */
    upgrade: boolean
    clock: Clock
    log: Logger
  },
): Promise<StreamFacts> {
  // A stream that takes them has only servers that know them.
  const serverVersion = found?.config.allow_atomic === true ? FENCING : lowest(await versions())
  const atomic = atLeast(serverVersion, 2, 12)
  if (found !== null) return factsOf(upgrade ? await upgraded(jsm, found, atomic, log) : found, serverVersion)
  const wanted = wantedStream(streamConfig, clock)
  try {
    const made = await jsm.streams.add({
      ...wanted,
      ...(atomic ? { allow_atomic: true } : {}),
      ...(atLeast(serverVersion, 2, 10) ? {} : { first_seq: undefined as never }),
    })
    log.info('made the stream', { stream: STREAM, replicas: wanted.num_replicas })
    return factsOf(made, serverVersion)
  } catch (error) {
    // Another replica may have been faster.
    const now = await info(jsm).catch(() => null)
    if (now !== null) return factsOf(now, serverVersion)
    throw fail('BUS_UNAVAILABLE', `the stream ${STREAM} cannot be made: ${messageOf(error)}`)
  }
}

/** @returns null when there is none */
export async function info(jsm: JetStreamManager): Promise<StreamInfo | null> {
  try {
    return await jsm.streams.info(STREAM)
  } catch (error) {
    if (
      (error as { code?: number }).code === 404 ||
      (error as { status?: number }).status === 404 ||
      /stream not found/i.test(messageOf(error))
    )
      return null
    throw error
  }
}

/** Streams that upstream made lack what strict fencing needs; adding it changes nothing for anybody else. */
async function upgraded(jsm: JetStreamManager, found: StreamInfo, atomic: boolean, log: Logger): Promise<StreamInfo> {
  const { config } = found
  if (!atomic || config.allow_atomic === true || config.retention !== 'limits') return found
  try {
    const better = await jsm.streams.update(STREAM, { ...config, allow_atomic: true, allow_direct: true })
    log.info('the stream now takes atomic batches', { stream: STREAM })
    return better
  } catch (error) {
    log.warn('the stream may not be changed: each message is fenced alone', { stream: STREAM, error: messageOf(error) })
    return found
  }
}

export function factsOf({ config, created }: StreamInfo, serverVersion: string): StreamFacts {
  return {
    created,
    replicas: config.num_replicas,
    maxAgeMs: config.max_age / 1e6,
    maxMessages: config.max_msgs,
    maxBytes: config.max_bytes,
    dedupMs: config.duplicate_window / 1e6,
    maxMessageBytes: Math.max(0, config.max_msg_size),
    fencing: fencingOf(config, serverVersion),
  }
}

function fencingOf(config: StreamConfig, version: string): Fencing {
  if (config.retention !== 'limits')
    return { kind: 'none', reason: `the stream's retention is ${config.retention}: a term record would be consumed` }
  if (!atLeast(version, 2, 12))
    return {
      kind: 'none',
      reason: `nats-server ${version} cannot compare with another subject's last sequence; 2.12 and newer can`,
      untilUpgraded: true,
    }
  return config.allow_atomic === true ? { kind: 'batch' } : { kind: 'message' }
}

/** The first version that fences; see ADR-50. */
const FENCING = '2.12.0'

/** Of a cluster that is just being upgraded: what the newest could do, the others would not know, or crash of. */
function lowest(versions: string[]): string {
  const order = (version: string) => {
    const [major = 0, minor = 0] = version.split('.').map(Number)
    return major * 1_000 + minor
  }
  return versions.reduce((a, b) => (order(b) < order(a) ? b : a))
}

export function atLeast(version: string, major: number, minor: number, patch = 0): boolean {
  const [a = 0, b = 0, c = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  return a > major || (a === major && (b > minor || (b === minor && c >= patch)))
}

function parseYaml(text: string): Record<string, unknown> {
  const value: unknown = text.trim() === '' ? {} : parse(text, { maxAliasCount: 0 })
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw fail('SPEC_INVALID', 'streamConfig must be a YAML map, e.g. "maxmsgs: 50000"')
  return value as Record<string, unknown>
}

const lowerCased = (map: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(map).map(([key, value]) => [key.toLowerCase(), value]))

/** The NATS versions that `spec.jetstream.version` may name, and the images of each. */
import { fail } from '../../core/errors.ts'

export interface BusVersion {
  version: string
  natsImage: string
  metricsExporterImage: string
  configReloaderImage: string
  /** The server's path in its image. */
  startCommand: string
}

/** The first server with atomic batches, which the fence is made of (NATS 2.12; see docs/high-availability.md). */
const FENCING_SINCE = [2, 12] as const
const SYNC_INTERVAL_SINCE = [2, 10] as const
const LATEST = '2.15.2'

function version(name: string, tag: string, tools: 'old' | 'new'): BusVersion {
  return {
    version: name,
    natsImage: `nats:${tag}`,
    metricsExporterImage: `natsio/prometheus-nats-exporter:${tools === 'old' ? '0.9.1' : '0.14.0'}`,
    configReloaderImage: `natsio/nats-server-config-reloader:${tools === 'old' ? '0.7.0' : '0.14.0'}`,
    startCommand: tag.endsWith('-alpine') ? 'nats-server' : '/nats-server',
  }
}

/** Upstream's, with a `latest` that can fence, and that version by its number. */
export const shippedVersions: BusVersion[] = [
  version('latest', LATEST, 'new'),
  ...['2.8.1', '2.8.1-alpine', '2.8.2', '2.8.2-alpine', '2.9.1', '2.9.12', '2.9.16'].map((tag) =>
    version(tag, tag, 'old'),
  ),
  version('2.10.29', '2.10.29', 'new'),
  version(LATEST, LATEST, 'new'),
]

/** @throws SPEC_INVALID, in upstream's words */
export function findVersion(wanted: string, versions: readonly BusVersion[]): BusVersion {
  if (versions.length === 0) throw fail('SPEC_INVALID', 'jetstream version configuration not found')
  const found = versions.find(({ version }) => version === wanted)
  if (found !== undefined) return found
  const supported = versions.map(({ version }) => version).join(', ')
  throw fail('SPEC_INVALID', `unsupported version "${wanted}", supported versions: "${supported}"`)
}

/** Whether a server of this image can refuse the writes of a deposed leader; undefined when its tag does not say. */
export function canFence(images: BusVersion): boolean | undefined {
  return isAtLeast(images, FENCING_SINCE)
}

/** Whether a server of this image knows the setting `sync_interval`; undefined when its tag does not say. */
export function canSync(images: BusVersion): boolean | undefined {
  return isAtLeast(images, SYNC_INTERVAL_SINCE)
}

function isAtLeast({ natsImage }: BusVersion, [least, leastMinor]: readonly [number, number]): boolean | undefined {
  const [, major, minor] = /:v?(\d+)\.(\d+)/.exec(natsImage) ?? []
  if (major === undefined || minor === undefined) return undefined
  return Number(major) > least || (Number(major) === least && Number(minor) >= leastMinor)
}

/** The version to write into `spec.jetstream.version` for a fence: the last of those that have a number of their own. */
export function fencingVersion(versions: readonly BusVersion[]): string {
  return versions.findLast((one) => one.version !== 'latest' && canFence(one) === true)?.version ?? 'latest'
}

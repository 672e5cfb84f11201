/**
 * Which NATS a bus gets. Servers cannot read what newer ones have written, so its version is changed by who owns the bus and by nobody else: what runs
 * stays, whatever `latest` means today, until `version` names another one by its number. Pure.
 */
import type { KubeObject } from '../../kube/resources.ts'
import { type Condition, warning } from '../conditions.ts'
import { type BusVersion, findVersion } from './versions.ts'

/** The images of a bus that is there. */
export interface Running extends Partial<Omit<BusVersion, 'natsImage' | 'version'>> {
  natsImage: string
  /** How its disks are encrypted: see natsConf.ts. Left out: by the constant. */
  encryption?: 'key'
  /** How many servers there are; left out: not known. */
  replicas?: number
}

/** On the StatefulSet: `key` when its disks are encrypted with the key of the Secret. */
export const ENCRYPTION_ANNOTATION = 'vedette.dev/nats-encryption'

export interface Choice {
  images: BusVersion
  /** What its owner should know. */
  conditions: Condition[]
}

/** On an EventBus: the older version that may be gone back to all the same. */
export const DOWNGRADE_ANNOTATION = 'vedette.dev/nats-downgrade'

interface Container {
  name?: string
  image?: string
  command?: string[]
}

/** What a status remembers, for when there is no StatefulSet any more. */
export type Remembered = Pick<Running, 'encryption'> & { natsImage?: string }

/** @param statefulSet the live one */
export function runningIn(statefulSet: KubeObject | undefined, before: Remembered): Running | undefined {
  const spec = statefulSet?.spec as
    | { replicas?: number; template?: { spec?: { containers?: Container[] } } }
    | undefined
  const container = (name: string) => spec?.template?.spec?.containers?.find((one) => one.name === name)
  const { image, command } = container('main') ?? {}
  const natsImage = image ?? before.natsImage
  if (natsImage === undefined) return undefined
  const [startCommand] = command ?? []
  const configReloaderImage = container('reloader')?.image
  const metricsExporterImage = container('metrics')?.image
  const encrypted =
    statefulSet === undefined ? before.encryption : statefulSet.metadata.annotations?.[ENCRYPTION_ANNOTATION]
  return {
    natsImage,
    ...(encrypted === 'key' ? { encryption: encrypted } : {}),
    ...(spec?.replicas === undefined ? {} : { replicas: spec.replicas }),
    ...(startCommand === undefined ? {} : { startCommand }),
    ...(configReloaderImage === undefined ? {} : { configReloaderImage }),
    ...(metricsExporterImage === undefined ? {} : { metricsExporterImage }),
  }
}

/**
 * @param wanted `spec.jetstream.version`
 * @param allowed the value of the annotation, if any
 * @throws SPEC_INVALID for a version that is not known
 */
export function choose(
  wanted: string,
  versions: readonly BusVersion[],
  running: Running | undefined,
  allowed: string | undefined,
): Choice {
  const named = findVersion(wanted, versions)
  if (running === undefined || sameVersion(running.natsImage, named.natsImage)) return { images: named, conditions: [] }
  const kept = keep(running, versions, named)
  if (wanted === 'latest') return { images: kept, conditions: newer(running.natsImage, named, versions) }
  if (!isOlderLine(named.natsImage, running.natsImage) || allowed === wanted) return { images: named, conditions: [] }
  const refused = warning('DowngradeRefused', 'OlderThanItsData', downgradeText(running.natsImage, wanted))
  return { images: kept, conditions: [refused] }
}

/** For the condition and for admission. */
export function downgradeText(running: string, wanted: string): string {
  return `${running} runs and stays: ${wanted} cannot read what it has written, and would crash. To do it all the same, with nothing on the bus to be kept: annotation ${DOWNGRADE_ANNOTATION}: "${wanted}"`
}

/** Whether the first is of an older line (2.10, 2.12, …): within one, servers read each other's data. False when a tag does not say. */
export function isOlderLine(image: string, than: string): boolean {
  const [a, b] = [numbersIn(image), numbersIn(than)]
  return a !== null && b !== null && (a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]))
}

function newer(running: string, latest: BusVersion, versions: readonly BusVersion[]): Condition[] {
  const order = compare(running, latest.natsImage)
  if (order !== null && order > 0) return []
  const number = versions.find(({ version, natsImage }) => version !== 'latest' && natsImage === latest.natsImage)
  const how =
    number === undefined
      ? `name ${latest.natsImage} by a version of its own in argo-events-controller-config, and that one in spec.jetstream.version`
      : `write spec.jetstream.version: "${number.version}"`
  const text = `${running} runs and stays; latest is ${latest.natsImage}. To get it, ${how}: its servers are replaced one after another. There is no way back: older servers cannot read what newer ones have written. See docs/migrate.md`
  return [warning('UpgradeAvailable', 'VersionKept', text)]
}

/** What runs, also where all that is left of it is the name of its image. */
function keep(running: Running, versions: readonly BusVersion[], otherwise: BusVersion): BusVersion {
  const known = versions.find(({ natsImage }) => natsImage === running.natsImage) ?? {
    ...otherwise,
    startCommand: running.natsImage.endsWith('-alpine') ? 'nats-server' : '/nats-server',
  }
  const { encryption, replicas, ...images } = running
  return { ...known, ...images }
}

type Numbers = readonly [number, number, number]

function numbersIn(image: string): Numbers | null {
  const found = /:v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(image)
  return found === null ? null : [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)]
}

/** Also of another registry. */
function sameVersion(a: string, b: string): boolean {
  return a === b || compare(a, b) === 0
}

function compare(a: string, b: string): number | null {
  const [x, y] = [numbersIn(a), numbersIn(b)]
  if (x === null || y === null) return null
  return x[0] - y[0] || x[1] - y[1] || x[2] - y[2]
}

/** The configuration of native buses: what its user has written into Argo Events' goes on in ours. Pure. */
import { stringify } from 'yaml'
import type { KubeObject } from '../../kube/resources.ts'
import { plainValue } from '../../manifest/tree.ts'
import { parseYaml } from '../../manifest/yaml.ts'
import { type BusVersion, shippedVersions } from '../eventBus/versions.ts'
import { shippedJetstream } from '../settings.ts'

const FILE = 'controller-config.yaml'

interface Jetstream {
  settings?: string
  streamConfig?: string
  versions?: BusVersion[]
}

/** Images as Argo Events ships them: from Docker Hub, by their plain names. */
const SHIPPED = /^(docker\.io\/)?(library\/)?nats:/

/**
 * Ours, with what their user has written: versions whose images come from elsewhere (a registry of one's own), versions that ours lacks,
 * settings and stream settings that differ from those shipped.
 * @returns `kept`: what of theirs is in it, for people
 */
export function mergedConfig(theirs: KubeObject, ours: KubeObject): { object: KubeObject; kept: string[] } {
  const [has, wants] = [jetstreamIn(theirs), jetstreamIn(ours)]
  const base = wants.versions ?? shippedVersions
  const own = (has.versions ?? []).filter(
    ({ version, natsImage }) => !SHIPPED.test(natsImage) || base.every((one) => one.version !== version),
  )
  const settings = written(has.settings, shippedJetstream.settings)
  const streamConfig = written(has.streamConfig, shippedJetstream.streamConfig)
  const kept = [
    ...own.map(({ version, natsImage }) => `${version} (${natsImage})`),
    ...(settings === undefined ? [] : ['settings']),
    ...(streamConfig === undefined ? [] : ['streamConfig']),
  ]
  const merged: Jetstream = {
    ...wants,
    ...(settings === undefined ? {} : { settings }),
    ...(streamConfig === undefined ? {} : { streamConfig }),
    versions: [...own, ...base.filter((one) => own.every(({ version }) => version !== one.version))],
  }
  const text = stringify({ eventBus: { jetstream: merged } }, { lineWidth: 0 })
  return { object: { ...ours, data: { [FILE]: text } }, kept }
}

function jetstreamIn({ data }: KubeObject): Jetstream {
  const [document] = parseYaml((data as Record<string, string> | undefined)?.[FILE] ?? '').documents
  const value = document === undefined ? {} : (plainValue(document) as { eventBus?: { jetstream?: Jetstream } } | null)
  return value?.eventBus?.jetstream ?? {}
}

/** The text, if it says something else than what is shipped, whatever its order. */
function written(text: string | undefined, shipped: string): string | undefined {
  if (text === undefined) return undefined
  const lines = (all: string) =>
    all
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim().toLowerCase())
      .filter((line) => line !== '')
      .sort()
      .join('\n')
  return lines(text) === lines(shipped) ? undefined : text
}

/** What the controller is told by its environment and its configuration file. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { version } from '../local/version.ts'
import { DEFAULT_POD_SECURITY, POD_SECURITY } from '../manifest/podStandards.ts'
import { plainValue } from '../manifest/tree.ts'
import { parseYaml } from '../manifest/yaml.ts'
import type { BusVersion } from './eventBus/versions.ts'
import { shippedVersions } from './eventBus/versions.ts'
import type { PodRules } from './podRules.ts'

export interface Settings {
  /** Image of EventSource Pods. */
  image: string
  imagePullPolicy: string
  /** Upstream's image, for Sensor Pods; null: Sensors are left alone. */
  sensorImage: string | null
  pods: PodRules
  /** Whether EventSources and native buses get NetworkPolicies. `off`: those that there are go; null: they are not looked at, which needs no right. */
  networkPolicies: 'on' | 'off' | null
  /** Of so many Deployments the Pods are replaced at once; the others' serve on until it is their turn. */
  rollouts: number
  /** The namespace of the controller. */
  home: string
  jetstream: {
    /** Text of the server's `jetstream {}` block. */
    settings: string
    /** YAML text. */
    streamConfig: string
    versions: BusVersion[]
    /** Of the servers, when there are three or more and the object names none. */
    priorityClassName?: string | undefined
  }
}

/**
 * The image of this version, as `docker build` with the Dockerfile makes it. In no registry: nodes have it loaded, or the install names the
 * one that it was pushed to.
 */
export const defaultImage = (): string => `${IMAGE_NAME}:${version()}`
export const IMAGE_NAME = 'vedette'
/** The last upstream release that the Sensors of this version were checked against. */
export const DEFAULT_SENSOR_IMAGE = 'quay.io/argoproj/argo-events:v1.9.11'

/** Upstream's shipped values. */
export const shippedJetstream = {
  settings: 'max_memory_store: -1\nmax_file_store: 1TB\n',
  streamConfig: 'maxMsgs: 50000\nmaxAge: 168h\nmaxBytes: -1\nreplicas: 3\nduplicates: 300s\nretention: 0\ndiscard: 0\n',
  versions: shippedVersions,
}

/**
 * @param env VEDETTE_IMAGE, IMAGE_PULL_POLICY, ARGO_EVENTS_IMAGE (of Sensors), SENSORS (`false`: leave Sensors alone), EVENTBUS_PRIORITY_CLASS,
 * POD_SECURITY, SERVICE_ACCOUNTS (with commas), NETWORK_POLICIES (`on`, `off`), ROLLOUTS (a number), NAMESPACE
 * @throws USAGE for a word that there is not
 */
export function settingsFrom(env: Record<string, string | undefined>): Settings {
  return {
    image: env.VEDETTE_IMAGE || defaultImage(),
    imagePullPolicy: env.IMAGE_PULL_POLICY || 'Always',
    sensorImage: env.SENSORS === 'false' ? null : env.ARGO_EVENTS_IMAGE || DEFAULT_SENSOR_IMAGE,
    pods: podRules(env),
    networkPolicies: networkPolicies(env.NETWORK_POLICIES),
    rollouts: rollouts(env.ROLLOUTS),
    home: env.NAMESPACE || DEFAULT_NAMESPACE,
    jetstream: { ...shippedJetstream, priorityClassName: env.EVENTBUS_PRIORITY_CLASS || undefined },
  }
}

function podRules({
  POD_SECURITY: level = '',
  SERVICE_ACCOUNTS: accounts,
}: Record<string, string | undefined>): PodRules {
  const known = POD_SECURITY.find((one) => one === level)
  if (known === undefined && level !== '')
    throw fail('USAGE', `--pod-security ${JSON.stringify(level)} is no level: write one of ${POD_SECURITY.join(', ')}`)
  const names = (accounts ?? '').split(',').map((one) => one.trim())
  const serviceAccounts = names.filter((one) => one !== '')
  return {
    level: known ?? DEFAULT_POD_SECURITY,
    serviceAccounts: serviceAccounts.length === 0 ? null : serviceAccounts,
  }
}

function networkPolicies(word = ''): Settings['networkPolicies'] {
  if (word !== '' && word !== 'on' && word !== 'off')
    throw fail('USAGE', `--network-policies ${JSON.stringify(word)}: write on or off`)
  return word === '' ? null : word
}

function rollouts(text = ''): number {
  if (text === '') return DEFAULT_ROLLOUTS
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw fail('USAGE', `--rollouts ${JSON.stringify(text)}: write a number of at least 1`)
  return Number(text)
}

/** Two cores get as many new Pods ready within half a minute, beside the old ones (test/faults/exchange.test.ts). */
const DEFAULT_ROLLOUTS = 5

/** Where an install puts the controller unless told otherwise. */
export const DEFAULT_NAMESPACE = 'argo-events'

const text = z.string()
const configuration = z.object({
  eventBus: z
    .object({
      jetstream: z
        .object({
          settings: text.optional(),
          streamConfig: text.optional(),
          versions: z
            .array(
              z.object({
                version: text,
                natsImage: text,
                metricsExporterImage: text,
                configReloaderImage: text,
                startCommand: text,
              }),
            )
            .optional(),
        })
        .optional(),
    })
    .optional(),
})

/** The environment, and over our own values those of upstream's configuration file where there is one. @throws SPEC_INVALID */
export async function readSettings(env: Record<string, string | undefined>, file: string): Promise<Settings> {
  const settings = settingsFrom(env)
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw fail('SPEC_INVALID', `${file}: cannot be read (${error.code ?? error.message})`)
  })
  if (content === null) return settings
  const { documents, problems } = parseYaml(content)
  const result = configuration.safeParse(documents[0] === undefined ? {} : (plainValue(documents[0]) ?? {}))
  if (problems.length > 0 || !result.success) {
    const [issue] = result.success ? [] : result.error.issues
    const what = issue === undefined ? problems[0]!.message : `${issue.path.join('.')}: ${issue.message}`
    throw fail('SPEC_INVALID', `${file}: ${what}; compare it with the ConfigMap of deploy/install.yaml`)
  }
  return { ...settings, jetstream: { ...settings.jetstream, ...result.data.eventBus?.jetstream } }
}

/** The same, read anew every minute, so that a changed ConfigMap needs no restart; one that is wrong is logged, and the last good one holds. */
export async function followSettings(
  env: Record<string, string | undefined>,
  file: string,
  { clock, log, signal }: { clock: Clock; log: Logger; signal: AbortSignal },
): Promise<() => Settings> {
  let settings = await readSettings(env, file)
  let trouble: string | null = null
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(60_000, signal)
      try {
        settings = await readSettings(env, file)
        trouble = null
      } catch (error) {
        if (trouble !== messageOf(error)) log.error('the configuration cannot be read: the last one holds', { error })
        trouble = messageOf(error)
      }
    }
  }
  follow().catch(() => {})
  return () => settings
}

/** Writes the status of our objects, when it has changed. */
import { isVedetteError } from '../core/errors.ts'
import type { KubeObject, Resource } from '../kube/resources.ts'
import { type Cluster, MANAGER } from './cluster.ts'
import { type Condition, dated, problemIn } from './conditions.ts'
import { canonical } from './objects.ts'
import { shownFor } from './shown.ts'

/** Members of `status` that we write; absent: not to be there. */
export interface StatusOf {
  conditions: readonly Condition[]
  /** The warning that the printer column shows when no condition is worse. */
  problem?: string | undefined
  /** How its replicas share the work. */
  strategy?: string | undefined
  /** `2/3`. */
  ready?: string | undefined
  /** For `kubectl scale`: how many replicas there are, and which labels they have. */
  replicas?: number | undefined
  selector?: string | undefined
  leader?: string | undefined
  failovers?: number | undefined
  /** Of the leader. */
  term?: number | undefined
  kind?: string | undefined
  /** Of a native bus. */
  natsImage?: string | undefined
  encryption?: string | undefined
  config?: object | undefined
}

const MEMBERS = [
  ...['conditions', 'observedGeneration', 'problem', 'strategy', 'ready', 'replicas', 'selector', 'leader'],
  ...['failovers', 'term', 'kind', 'natsImage', 'encryption', 'config'],
]

/** Texts for people are written without the credentials of the object. @throws as the client; an object that is gone needs no status */
export async function writeStatus(
  { client, clock, recorder }: Pick<Cluster, 'client' | 'clock' | 'recorder'>,
  resource: Resource,
  live: KubeObject,
  { conditions: found, problem, ...members }: StatusOf,
): Promise<void> {
  const shown = shownFor(live)
  const conditions = found.map((one) => (one.message === undefined ? one : { ...one, message: shown(one.message) }))
  const before = (live.status ?? {}) as Record<string, unknown>
  const status: Record<string, unknown> = Object.fromEntries(
    Object.entries({
      ...members,
      observedGeneration: live.metadata.generation,
      problem: problemIn(conditions) ?? (problem === undefined ? undefined : shown(problem)),
      conditions: dated(conditions, before.conditions, clock.now()),
    }).filter(([, value]) => value !== undefined),
  )
  const ours = Object.fromEntries(Object.entries(before).filter(([member]) => MEMBERS.includes(member)))
  if (canonical(ours) === canonical(status)) return
  const { name, namespace } = live.metadata
  const object: KubeObject = {
    apiVersion: live.apiVersion,
    kind: live.kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    status,
  }
  try {
    const written = await client.applyStatus(resource, object, { manager: MANAGER })
    if (written !== null) recorder.tell(live, status)
  } catch (error) {
    if (!isVedetteError(error, 'KUBERNETES_CONFLICT')) throw error
  }
}

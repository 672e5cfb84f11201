/**
 * Servers that Argo Events' controller has made go on as they run: a restart does nothing for the events on them, and may cost some (a server without a disk
 * copies all that it had from the others, one of NATS 2.10 stores the last refused writes anew). They become ours by the first change of their object. Pure.
 */
import type { KubeObject } from '../../kube/resources.ts'
import { type Condition, condition } from '../conditions.ts'
import { HASH_ANNOTATION } from '../objects.ts'
import { fnv1a, OWN_HASH_ANNOTATION } from '../upstreamHash.ts'
import { SERVERS_ANNOTATION } from './present.ts'

/** On the StatefulSet while it is so: which of Argo Events' it was, and what its object asked for then. */
export const TAKEN_OVER_ANNOTATION = 'vedette.dev/taken-over'

/**
 * @param live the StatefulSet
 * @param bus its EventBus, as it is on the cluster
 * @returns the annotation's value; null: its servers are replaced as others are
 */
export function takenOver(live: KubeObject, bus: KubeObject): string | null {
  const { [HASH_ANNOTATION]: theirs, [OWN_HASH_ANNOTATION]: own, ...others } = live.metadata.annotations ?? {}
  // Not by theirHashOf: what is watched comes without its field managers, by which that knows ours.
  const ours = own === undefined && others[SERVERS_ANNOTATION] !== undefined
  if (theirs === undefined || theirs === own || ours) return null
  const mark = others[TAKEN_OVER_ANNOTATION]
  const { jetstream } = bus.spec as { jetstream?: object }
  const now = `${theirs}-${fnv1a(JSON.stringify(jetstream ?? {}))}`
  const madeAnew = mark !== undefined && !mark.startsWith(`${theirs}-`)
  return own === undefined || madeAnew || mark === now ? now : null
}

/** No warning: there is nothing to be done. EventSources share the login of before: their servers' reloader may not see a changed one, and their Secrets stay as they are. */
export function keptServers(): Condition {
  const message =
    'its servers run as Argo Events made them: they are replaced, one after another, by the next change of spec.jetstream, and each by ours when its Pod is deleted; EventSources get logins of their own then'
  return condition('ServersKept', 'True', 'MadeByArgoEvents', message)
}

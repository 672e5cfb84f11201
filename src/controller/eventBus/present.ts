/** What runs of a native bus, and what that leaves of the wishes of its object. Pure. */
import type { KubeObject } from '../../kube/resources.ts'
import type { NativeBus } from '../../manifest/manifest.ts'
import { type Claim, type ClaimTemplate, type Disks, disksOf } from './disks.ts'
import { type Holding, lossOf } from './resize.ts'

export interface Present {
  /** Name of the StatefulSet. */
  name: string
  /** How many servers were last configured. */
  replicas: number
  /** Empty: no disks. */
  templates: ClaimTemplate[]
  /** Left out: not looked at. */
  claims?: Claim[]
  /** What each server holds, by ordinal; left out: nobody was asked, so their number stays. */
  held?: Holding[]
}

/** How many servers we configured: what the StatefulSet was scaled to by hand is another thing. */
export const SERVERS_ANNOTATION = 'vedette.dev/servers'

export function presentIn(live: KubeObject): Present {
  const spec = (live.spec ?? {}) as { replicas?: number; volumeClaimTemplates?: ClaimTemplate[] }
  const configured = Number(live.metadata.annotations?.[SERVERS_ANNOTATION])
  return {
    name: live.metadata.name,
    replicas: configured > 0 ? configured : (spec.replicas ?? 1),
    templates: (spec.volumeClaimTemplates ?? []).map(plain),
  }
}

/** Without what the API server added. */
function plain({ metadata, spec, ...rest }: ClaimTemplate & { status?: unknown }): ClaimTemplate {
  const { creationTimestamp: _, ...head } = metadata as { name: string; creationTimestamp?: unknown }
  const { status: __, ...others } = rest
  return { ...others, metadata: head, spec }
}

export interface Settled {
  replicas: number
  disks: Disks | null
  /** What of the object is not carried out, each with its reason. */
  refused: string[]
}

/** @param wanted servers that the object asks for */
export function settle(bus: NativeBus, wanted: number, present: Present | undefined): Settled {
  if (present === undefined) return { replicas: wanted, disks: null, refused: [] }
  const { persistence } = bus.spec.jetstream
  const { name, replicas: from, templates, held } = present
  const disks = disksOf(persistence, templates, present.claims)
  if (held === undefined) return { replicas: from, disks, refused: disks.refused }
  const server = (ordinal: number) => `${name}-${ordinal}`
  const loss = lossOf({ from, to: wanted, persistent: templates.length > 0, server, held })
  const refused =
    loss === null
      ? []
      : [`replicas ${wanted}: ${from === 1 ? 'one server goes' : `${from} servers go`} on, because ${loss}`]
  return { replicas: loss === null ? wanted : from, disks, refused: [...refused, ...disks.refused] }
}

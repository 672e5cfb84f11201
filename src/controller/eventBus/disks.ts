/** The disks of a native bus that runs: what of `spec.jetstream.persistence` can still come true, and how much a server may store. Pure. */
import { bytesOf, textOf } from './quantity.ts'

/** `spec.jetstream.persistence`. */
export interface Persistence {
  accessMode?: string
  storageClassName?: string
  volumeSize?: unknown
}

/** An element of a StatefulSet's `volumeClaimTemplates`: what the claims of further servers are made from. Immutable. */
export interface ClaimTemplate {
  metadata: { name: string }
  spec: { accessModes?: string[]; storageClassName?: string; resources?: { requests?: { storage?: unknown } } }
}

/** A PersistentVolumeClaim that is there. */
export interface Claim {
  name: string
  uid: string | undefined
  /** It has, or had, a disk. */
  bound: boolean
  storageClass: string | undefined
  /** Bytes. */
  asked: number
  /** Bytes that its disk really has; null: there is none yet. */
  has: number | null
}

export interface Disks {
  /** What cannot be done, and why. */
  refused: string[]
  /** The size that claims are to ask for, and which do not yet; null: as they are. */
  grow: { size: string; claims: Claim[] } | null
  /** Bytes of the smallest disk, as far as it may be used; null: not known. */
  bytes: number | null
  /** Claims that ask for more than they have. */
  growing: Claim[]
  /** No server has had a disk yet, and other ones are asked for: StatefulSet and claims are to be made anew. */
  remake: boolean
}

export const DEFAULT_VOLUME = '20Gi'
const OTHER = 'make another EventBus with it, see docs/eventbus.md#disks'

/** @param persistence undefined: the object says nothing of it. @param claims of all servers that there are; undefined: nobody looked */
export function disksOf(
  persistence: Persistence | undefined,
  templates: readonly ClaimTemplate[],
  looked: readonly Claim[] | undefined,
): Disks {
  const claims = looked ?? []
  const [template] = templates
  const none: Disks = { refused: [], grow: null, bytes: null, growing: [], remake: false }
  if (template === undefined) {
    const refused =
      persistence === undefined ? [] : [`persistence: the servers run without disks and can be given none: ${OTHER}`]
    return { ...none, refused }
  }
  const bound = claims.filter(({ bound }) => bound)
  const had = bytesOf(template.spec.resources?.requests?.storage)
  if (looked !== undefined && bound.length === 0)
    return { ...none, bytes: had, remake: isOther(persistence ?? {}, template, had) }
  const smallest = bound.length > 0 ? Math.min(...bound.map(({ asked }) => asked)) : had
  const wanted = persistence?.volumeSize === undefined ? smallest : bytesOf(persistence.volumeSize)
  const refused = fixed(persistence ?? {}, template, claims)
  if (wanted === null || smallest === null) return { ...none, refused, bytes: smallest }
  // Written back to what the servers were made with, it says no more than the template does: the disks stay as large as they are.
  if (wanted < smallest)
    refused.push(
      `persistence.volumeSize ${textOf(wanted)}: disks do not shrink; write ${textOf(smallest)}, which they have`,
    )
  const size = Math.max(wanted, smallest)
  const small = bound.filter(({ asked }) => asked < size)
  const real = bound.flatMap(({ has }) => (has === null ? [] : [has]))
  return {
    refused,
    grow: small.length === 0 ? null : { size: String(persistence?.volumeSize), claims: small },
    bytes: Math.min(size, ...(real.length > 0 ? real : [had ?? size])),
    growing: bound.filter(({ asked, has }) => has !== null && has < asked),
    remake: false,
  }
}

function isOther(
  { accessMode, storageClassName, volumeSize }: Persistence,
  { spec }: ClaimTemplate,
  had: number | null,
) {
  const size = volumeSize === undefined ? null : bytesOf(volumeSize)
  return (
    (!!accessMode && accessMode !== spec.accessModes?.[0]) ||
    (!!storageClassName && storageClassName !== spec.storageClassName) ||
    (size !== null && size !== had)
  )
}

function fixed(
  { accessMode, storageClassName }: Persistence,
  { spec }: ClaimTemplate,
  claims: readonly Claim[],
): string[] {
  const [mode] = spec.accessModes ?? []
  const classes = [spec.storageClassName, ...claims.map(({ storageClass }) => storageClass)]
  const has = classes.find((one) => one !== undefined) ?? 'the default one'
  return [
    ...(accessMode && mode !== undefined && accessMode !== mode
      ? [`persistence.accessMode ${accessMode}: the disks have ${mode} and keep it: ${OTHER}`]
      : []),
    ...(storageClassName && !classes.includes(storageClassName)
      ? [`persistence.storageClassName ${storageClassName}: the disks are of ${has} and stay so: ${OTHER}`]
      : []),
  ]
}

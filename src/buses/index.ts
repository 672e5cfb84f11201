/** The registry of buses: what an EventBus object may name, and what each kind says of itself. */
import { z } from 'zod'
import { fail } from '../core/errors.ts'
import type { BusDefinition, BusPlace, MountedSecrets, NotServed, OpenBus, OpenOptions } from './definition.ts'
import * as registry from './registry.ts'

export type * from './definition.ts'
export { openEmbedded, type StoreAddress } from './embedded.ts'

const definitions = { ...registry }
type Registry = typeof definitions
/** The key under `spec` of an EventBus. */
export type BusKind = keyof Registry
export type SpecOf<Kind extends BusKind> = z.output<Registry[Kind]['spec']>
type Specs = { [Kind in BusKind]: SpecOf<Kind> }

/** What an EventBus object says: its kind, and under that its spec. What other kinds it names besides is ignored. */
export type BusChoice = { [Kind in BusKind]: { kind: Kind; spec: Partial<Specs> & Pick<Specs, Kind> } }[BusKind]
/** One whose servers the controller makes. */
export type NativeChoice = Extract<BusChoice, { kind: 'jetstream' }>
export type NativeSpec = SpecOf<'jetstream'>

/** An object that names several kinds is of the first of these (upstream's installer), else of the first by the alphabet. */
const UPSTREAM_ORDER: readonly string[] = ['nats', 'jetstream', 'kafka', 'jetstreamExotic']

/** All kinds, those that win over others first. */
export const busKinds: readonly BusKind[] = [
  ...UPSTREAM_ORDER.filter(isKind),
  ...Object.keys(definitions)
    .filter(isKind)
    .filter((kind) => !UPSTREAM_ORDER.includes(kind)),
]

function isKind(name: string): name is BusKind {
  return Object.hasOwn(definitions, name)
}

export function definitionOf(kind: BusKind): BusDefinition<any> {
  return definitions[kind]
}

/** `spec` of an EventBus, all kinds of this version in it. */
export const eventBusFields = z.object(
  Object.fromEntries(busKinds.map((kind) => [kind, definitionOf(kind).spec.optional()])) as {
    [Kind in BusKind]: z.ZodOptional<Registry[Kind]['spec']>
  },
)

/** The kinds that a spec names, the one that counts first. */
export function kindsIn(spec: object): BusKind[] {
  return busKinds.filter((kind) => (spec as Record<string, unknown>)[kind] != null)
}

/** Upstream's words for a spec that names no kind. */
export const noneNamed = 'invalid spec: either "nats", "jetstream", "jetstreamExotic", or "kafka" needs to be specified'

/** What a spec as {@link eventBusFields} has checked it says; null: it names no kind. */
export function choiceIn(spec: Partial<Specs>): BusChoice | null {
  const [kind] = kindsIn(spec)
  return kind === undefined ? null : ({ kind, spec } as BusChoice)
}

/** Opens the bus that an EventBus names. @throws SPEC_INVALID for a kind that nobody opens, or what it cannot use */
export async function openBus(
  { kind, spec, namespace, name }: BusChoice & BusPlace,
  options: Omit<OpenOptions, keyof BusPlace>,
): Promise<OpenBus> {
  const { open } = definitionOf(kind)
  if (open === undefined) throw fail('SPEC_INVALID', `EventBus ${name}: a bus of kind ${kind} cannot be used from here`)
  return await open(spec[kind], { ...options, namespace, name })
}

/** The key of `status.config` and of `EVENTBUS_CONFIG` for a kind. */
export const configOf = (kind: BusKind): string => definitionOf(kind).config ?? kind

/** The keys of `status.config` and of `EVENTBUS_CONFIG`, those that win over others first. */
export const configKeys: readonly string[] = [...new Set(busKinds.map(configOf))]

/** The kind that a client takes the bus for which is told of under this key. */
export function kindOfConfig(key: string): BusKind | undefined {
  const kinds = busKinds.filter((kind) => configOf(kind) === key)
  return kinds.find((kind) => definitionOf(kind).open !== undefined) ?? kinds[0]
}

/** Whether it is one whose servers the controller makes. */
export function isNative<Bus extends BusChoice>(bus: Bus): bus is Bus & NativeChoice {
  return makesServers(bus.kind)
}

/** Whether the controller makes servers for a kind. */
export const makesServers = (kind: BusKind): boolean => definitionOf(kind).rendered.what === 'servers'

/** A bus that is native where none is given. */
export const assumed: NativeChoice = { kind: 'jetstream', spec: { jetstream: { version: 'latest' } } }

/** What an object becomes in a cluster. */
export type Rendering<Bus> =
  | { what: 'servers'; bus: Bus & NativeChoice }
  /** `config`: `status.config`, upstream's. */
  | { what: 'address'; config: Record<string, object>; exchanged: string }
  | (NotServed & { title: string })

export function renderingOf<Bus extends BusChoice & BusPlace>(bus: Bus): Rendering<Bus> {
  if (isNative(bus)) return { what: 'servers', bus }
  const { title, rendered } = definitionOf(bus.kind)
  const spec = bus.spec[bus.kind]
  if (rendered.what === 'address') {
    const config = { [configOf(bus.kind)]: rendered.told(spec, bus) }
    return { what: 'address', config, exchanged: rendered.exchanged(spec, bus) }
  }
  return { ...(rendered as NotServed), title }
}

/** What a `status.config` tells, and the kind that a client takes it for; null: nothing. */
function toldIn(config: object): { kind: BusKind; told: unknown } | null {
  for (const key of configKeys) {
    const told = (config as Record<string, unknown>)[key]
    const kind = kindOfConfig(key)
    if (told != null && kind !== undefined) return { kind, told }
  }
  return null
}

/** @param config `status.config` of an EventBus */
export function mountedFor(config: object): MountedSecrets {
  const found = toldIn(config)
  if (found === null) return {}
  return definitionOf(found.kind).mounted?.(found.told) ?? { whole: found.told }
}

/** Whether replicas can elect by the bus that this tells of. @param config `status.config` of an EventBus */
export function electsItself(config: object): boolean {
  const found = toldIn(config)
  return found === null || definitionOf(found.kind).elects !== false
}

/** Upstream's words for a change that its admission refuses. @param before `spec` of the object as written, in any shape */
export function forbiddenChanges(before: Record<string, unknown>, after: Record<string, unknown>): string[] {
  const guarded = kindsIn(after).filter((kind) => definitionOf(kind).forbidden !== undefined)
  if (guarded.some((kind) => before[kind] == null)) return ['Can not change event bus implementation']
  return guarded.flatMap((kind) => definitionOf(kind).forbidden!(before[kind], after[kind]))
}

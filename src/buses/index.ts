/** The registry of buses: what an EventBus object may name, and what each kind says of itself. */
import { z } from 'zod'
import { fail } from '../core/errors.ts'
import type { BusDefinition, BusPlace, OpenBus, OpenOptions } from './definition.ts'
import * as registry from './registry.ts'

export type * from './definition.ts'
export { openEmbedded, type StoreAddress } from './embedded.ts'

type Registry = typeof registry
/** The key under `spec` of an EventBus. */
export type BusKind = keyof Registry
export type SpecOf<Kind extends BusKind> = z.output<Registry[Kind]['spec']>
type Specs = { [Kind in BusKind]: SpecOf<Kind> }

/** What an EventBus object says: its kind, and under that its spec. What other kinds it names besides is ignored. */
export type BusChoice = { [Kind in BusKind]: { kind: Kind; spec: Partial<Specs> & Pick<Specs, Kind> } }[BusKind]
/** One whose servers the controller makes. */
export type NativeChoice = Extract<BusChoice, { kind: 'jetstream' }>

/** An object that names several kinds is of the first of these (upstream's installer), else of the first by the alphabet. */
const UPSTREAM_ORDER: readonly string[] = ['nats', 'jetstream', 'kafka', 'jetstreamExotic']

/** All kinds, those that win over others first. */
export const busKinds: readonly BusKind[] = [
  ...UPSTREAM_ORDER.filter(isKind),
  ...Object.keys(registry)
    .filter(isKind)
    .filter((kind) => !UPSTREAM_ORDER.includes(kind)),
]

function isKind(name: string): name is BusKind {
  return Object.hasOwn(registry, name)
}

export function definitionOf(kind: BusKind): BusDefinition<any> {
  return registry[kind]
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

const configOf = (kind: BusKind): string => definitionOf(kind).config ?? kind

/** The keys of `status.config` and of `EVENTBUS_CONFIG`, those that win over others first. */
export const configKeys: readonly string[] = [...new Set(busKinds.map(configOf))]

/** The kind that a client takes the bus for which is told of under this key. */
export function kindOfConfig(key: string): BusKind | undefined {
  const kinds = busKinds.filter((kind) => configOf(kind) === key)
  return kinds.find((kind) => definitionOf(kind).open !== undefined) ?? kinds[0]
}

/** Whether it is one whose servers the controller makes. */
export function isNative<Bus extends BusChoice>(bus: Bus): bus is Bus & NativeChoice {
  return definitionOf(bus.kind).rendered.what === 'servers'
}

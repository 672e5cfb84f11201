/** What the files say, judged for `vedette run`: which objects run here, and what stands against it. */
import type { TypeFacts } from '../api/status.ts'
import { definitionOf } from '../buses/index.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { Redactor } from '../core/redact.ts'
import { compileFilter } from '../filter/filter.ts'
import { hideCredentials } from '../manifest/credentials.ts'
import { diagnosticLine, loadManifest, readManifestFiles } from '../manifest/load.ts'
import type { Diagnostic, EventBus, Manifest } from '../manifest/manifest.ts'
import type { SourceDefinition } from '../source.ts'
import { loadSource } from '../sources/index.ts'
import type { Assignment } from './messages.ts'

export interface Objects {
  manifest: Manifest
  warnings: Diagnostic[]
  /** Things to say once: kinds that are skipped, buses that become the embedded one. */
  notices: string[]
  /** The bus outside, when the files name one that can be reached from here; null: the embedded one. */
  bus: EventBus | null
  facts: TypeFacts
}

/**
 * Reads and judges the files. What is secret in them is hidden from then on, also where they are refused.
 * @throws MANIFEST_INVALID with every mistake as a line of its message
 */
export async function loadObjects(files: string[], redactor: Pick<Redactor, 'hide'>): Promise<Objects> {
  const { manifest, diagnostics, advice } = await loadManifest(await readManifestFiles(files), { checkFilter })
  hideCredentials(manifest, redactor)
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) {
    throw fail(
      'MANIFEST_INVALID',
      [
        `the files have ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}:`,
        ...errors.map(diagnosticLine),
      ].join('\n'),
    )
  }
  if (manifest.eventSources.length === 0) {
    throw fail(
      'MANIFEST_INVALID',
      `there is no EventSource in ${files.join(', ')}: add one (see examples/quickstart.yaml)`,
    )
  }
  const { bus, notices: ofBuses } = judgeBuses(manifest)
  const notices = [
    ...brief(advice),
    ...manifest.skipped.map(
      ({ kind, name, file, line }) => `${file}:${line}: ${kind} ${name} is skipped: vedette runs EventSources`,
    ),
    ...ofBuses,
  ]
  const warnings = diagnostics.filter(({ severity }) => severity === 'warning')
  return { manifest, warnings, notices, bus, facts: await factsOf(manifest) }
}

const ALIKE = 3

/** Their lines; of many that say the same the first few, and how many more there are. */
export function brief(diagnostics: readonly Diagnostic[]): string[] {
  const alike = Map.groupBy(diagnostics, ({ message }) => message)
  return [...alike.values()].flatMap((all) => {
    const more = all.length - ALIKE
    const lines = all.slice(0, ALIKE).map(diagnosticLine)
    return more > 0 ? [...lines, `and ${more} more like the last; vedette validate lists them all`] : lines
  })
}

/** Says what is wrong with a filter expression, or null. */
function checkFilter(expression: string): string | null {
  try {
    compileFilter(expression)
    return null
  } catch (error) {
    return messageOf(error)
  }
}

/** @throws MANIFEST_INVALID */
function judgeBuses({ eventBuses, eventSources }: Manifest): { bus: EventBus | null; notices: string[] } {
  const named = new Set(eventSources.map(({ namespace, eventBusName }) => `${namespace}/${eventBusName}`))
  const notices: string[] = []
  let outside: EventBus | null = null
  for (const object of eventBuses) {
    const { namespace, name, kind, place } = object
    const bus = `${place.file}:${place.line}: EventBus ${name}`
    const unnamed = !named.has(`${namespace}/${name}`)
    if (unnamed && eventBuses.length > 1) {
      throw fail(
        'MANIFEST_INVALID',
        `${bus} is not the one that the EventSources name (${[...named].join(', ')}), and one run has one bus: remove it`,
      )
    }
    if (definitionOf(kind).open !== undefined && !unnamed) outside = object
    else if (unnamed)
      notices.push(`${bus} is not named by any EventSource (spec.eventBusName); the embedded bus is used`)
    else notices.push(`${bus} (${kind}) is a bus inside Kubernetes: here the embedded bus takes its place`)
  }
  if (eventBuses.length > 1) {
    throw fail(
      'MANIFEST_INVALID',
      `there are ${eventBuses.length} EventBus documents, but one run has one bus: keep one`,
    )
  }
  return { bus: outside, notices }
}

async function factsOf({ eventSources }: Manifest): Promise<TypeFacts> {
  const types = new Set(eventSources.flatMap(({ entries }) => entries.map(({ type }) => type)))
  const loaded = new Map<string, SourceDefinition<any, any>>()
  for (const type of types) {
    const definition = await loadSource(type)
    if (definition !== null) loaded.set(type, definition)
  }
  // asked of each entry again and again while ports are being opened
  const known = new Map(
    [...loaded].map(([type, definition]) => [type, { ...definition, listens: remembered(definition) }]),
  )
  return (type) => known.get(type)
}

function remembered({ listens }: SourceDefinition<any, any>): (spec: object) => readonly unknown[] {
  const found = new WeakMap<object, readonly unknown[]>()
  return (spec) => {
    const before = found.get(spec) ?? listens?.(spec) ?? []
    found.set(spec, before)
    return before
  }
}

/** How many host processes it takes. */
export function hostCount({ eventSources }: Manifest): number {
  return Math.max(0, ...eventSources.map(({ replicas }) => replicas))
}

/** What host `index` holds. */
export function assignmentOf({ eventSources, secrets, configMaps }: Manifest, index: number): Assignment {
  return { objects: eventSources.filter(({ replicas }) => replicas > index), secrets, configMaps }
}

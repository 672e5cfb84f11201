/** The EventSource object: the fields around the types, and each entry through its type's own schema and rules. */

import { z } from 'zod'
import { fail, messageOf } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import type { Finding, SourceDefinition } from '../source.ts'
import { decode, echoes, unknownMember } from './decode.ts'
import { describeSchema, type Field } from './fields.ts'
import { type CheckFilter, splitFilter } from './filter.ts'
import type { Entry, EventSource } from './manifest.ts'
import type { Notes } from './notes.ts'
import { type ObjectHead, readHead } from './objects.ts'
import { serviceSchema, templateSchema } from './pod.ts'
import { templateLimits } from './templateLimits.ts'
import { kindOf, type MapNode, nodeAt, type Path, pathText, plainValue } from './tree.ts'

/** Where source types come from; src/sources/index.ts is one. */
export interface Registry {
  /** The types of this version. */
  types: readonly string[]
  /** Every type that upstream knows. */
  upstreamTypes: readonly string[]
  loadSource(type: string): Promise<SourceDefinition<any, any> | null>
}

/** The fields of `spec` beside the types. */
export const eventSourceFields = z.object({
  eventBusName: z.string().optional().describe('The EventBus object that events go to.').meta({ default: 'default' }),
  replicas: z.int32().optional().describe('How many replicas hold this EventSource. Default 1; 0 stops it.'),
  revisionHistoryLimit: z
    .int32()
    .optional()
    .describe(
      'How many old ReplicaSets of the Deployment are kept (Kubernetes only). Default 10. Unknown to Argo Events.',
    ),
  template: templateSchema.optional().describe('What the Pods are given (Kubernetes only).'),
  service: serviceSchema.optional().describe('The Service in front of the Pods (Kubernetes only).'),
})

/** An entry with what the checks across entries need. */
export interface ReadEntry {
  entry: Entry
  path: Path
  definition: SourceDefinition<any, any> | null
}

export interface ReadEventSource {
  source: EventSource
  entries: ReadEntry[]
}

export async function readEventSource(
  root: MapNode,
  registry: Registry,
  checkFilter: CheckFilter,
  notes: Notes,
): Promise<ReadEventSource> {
  const head = readHead(root, 'EventSource', ['spec', 'status'], notes)
  const spec = nodeAt(root, ['spec'])
  const entries: ReadEntry[] = []
  let around: z.infer<typeof eventSourceFields> = {}
  if (spec?.kind === 'map') {
    around = readAround(spec, registry, notes)
    for (const type of knownTypes(registry)) {
      if (spec.members.has(type)) entries.push(...(await readType(type, spec, registry, checkFilter, notes)))
    }
    entries.sort((a, b) => before(a.entry, b.entry))
    checkUnique(entries, notes)
  } else if (spec !== undefined && (spec.kind !== 'scalar' || spec.value !== null)) {
    notes.add({ severity: 'error', path: ['spec'], message: `must be an object, is ${kindOf(spec)}` })
  }
  if (entries.length === 0 && !notes.list.some((note) => note.severity === 'error')) {
    notes.add({
      severity: 'warning',
      path: ['spec'],
      on: 'key',
      message: 'it has no events',
      remedy: example(registry),
    })
  }
  return { source: asEventSource(head, around, spec, entries, notes), entries }
}

function asEventSource(
  head: ObjectHead,
  around: z.infer<typeof eventSourceFields>,
  spec: ReturnType<typeof nodeAt>,
  entries: ReadEntry[],
  notes: Notes,
): EventSource {
  const { name, namespace, labels, annotations } = head
  return {
    namespace,
    name,
    labels,
    annotations,
    replicas: replicasOf(around.replicas, notes),
    eventBusName: around.eventBusName || 'default',
    entries: entries.map(({ entry }) => entry),
    spec: spec?.kind === 'map' ? (plainValue(spec) as Record<string, unknown>) : {},
    place: notes.place(['metadata', 'name']),
  }
}

function replicasOf(written: number | undefined, notes: Notes): number {
  if (written === undefined) return 1
  const path = ['spec', 'replicas']
  if (written < 0) {
    notes.add({
      severity: 'warning',
      path,
      message: `${written} acts as 1`,
      remedy: 'write 1 or more, or 0 to stop it',
    })
    return 1
  }
  if (written === 0) {
    const message = 'nothing serves this EventSource (Argo Events would run 1 replica)'
    notes.add({ severity: 'warning', path, message, remedy: 'write 1 or more unless it is meant to stand still' })
  }
  return written
}

/** eventBusName, replicas, template, service; and what is neither one of these nor a type. */
function readAround(spec: MapNode, registry: Registry, notes: Notes): z.infer<typeof eventSourceFields> {
  const types = knownTypes(registry)
  const fields = Object.keys(eventSourceFields.shape)
  const members: MapNode['members'] = new Map()
  for (const [key, member] of spec.members) {
    if (fields.includes(key)) members.set(key, member)
    else if (!types.includes(key)) unknownMember(key, [...fields, ...types], ['spec', key], notes)
  }
  const around = decode(eventSourceFields, { ...spec, members }, ['spec'], notes).value ?? {}
  for (const limit of templateLimits(around.template)) notes.add({ severity: 'advice', ...limit })
  return around
}

async function readType(
  type: string,
  spec: MapNode,
  registry: Registry,
  checkFilter: CheckFilter,
  notes: Notes,
): Promise<ReadEntry[]> {
  const map = nodeAt(spec, [type])!
  const path = ['spec', type]
  if (map.kind === 'scalar' && map.value === null) return []
  if (map.kind !== 'map') {
    const remedy = `write the event's name under ${type}:`
    notes.add({ severity: 'error', path, message: `must be an object, is ${kindOf(map)}`, remedy })
    return []
  }
  const definition = await load(type, registry)
  const field = definition === null ? null : describeSchema(definition.spec)
  return [...map.members.keys()].map((name) => {
    const entry: Entry = { type, name, spec: undefined, place: notes.place([...path, name], 'key') }
    const read: ReadEntry = { entry, path: [...path, name], definition }
    if (definition === null) notYet(read, map, registry, notes)
    else readEntry(read, definition, field!, map, checkFilter, notes)
    return read
  })
}

async function load(type: string, { types, loadSource }: Registry): Promise<SourceDefinition<any, any> | null> {
  if (!types.includes(type)) return null
  try {
    return await loadSource(type)
  } catch (error) {
    throw fail('BUG', `the source type ${type} cannot be loaded: ${messageOf(error)}`, { type }, { cause: error })
  }
}

function notYet({ entry, path }: ReadEntry, map: MapNode, { types }: Registry, notes: Notes): void {
  entry.spec = plainValue(map.members.get(entry.name)!.value)
  const message = `the type ${entry.type} is not yet in this version`
  refuse(entry, message)
  notes.add({ severity: 'warning', path, message, remedy: `it has ${types.join(', ')}`, fatal: true, on: 'key' })
}

function readEntry(
  { entry, path }: ReadEntry,
  definition: SourceDefinition<any, any>,
  field: Field,
  map: MapNode,
  checkFilter: CheckFilter,
  notes: Notes,
): void {
  if (definition.needs !== undefined) entry.needs = definition.needs
  const written = map.members.get(entry.name)!.value
  if (written.kind !== 'map' && !(written.kind === 'scalar' && written.value === null)) {
    const message = `must be an object, is ${kindOf(written)}`
    notes.add({ severity: 'error', path, message })
    refuse(entry, message)
    return
  }
  const from = notes.list.length
  let node: MapNode =
    written.kind === 'map' ? written : { kind: 'map', at: written.at, size: 1, height: 1, members: new Map() }
  if (definition.filterable) [node, entry.filter] = splitFilter(node, path, checkFilter, notes)
  const { value, wrong } = decode(definition.spec, node, path, notes, field)
  entry.spec = value
  if (value !== undefined) {
    for (const finding of findings(definition, value)) {
      if (wrong.length === 0 || (finding.path.length > 0 && !echoes(finding.path, wrong))) {
        notes.add({ ...finding, path: [...path, ...finding.path] })
      }
    }
  }
  for (const note of notes.list.slice(from)) {
    if (note.severity !== 'error' && note.fatal !== true) continue
    const inside = pathText(note.path.slice(path.length))
    refuse(entry, inside === '.' ? note.message : `${inside}: ${note.message}`)
  }
}

function findings(definition: SourceDefinition<any, any>, spec: unknown): Finding[] {
  try {
    return definition.validate?.(spec) ?? []
  } catch (error) {
    return [{ severity: 'error', path: [], message: `cannot be checked: ${messageOf(error)}` }]
  }
}

/** Names are unique over all types of one object: the name alone is the event's subject. */
function checkUnique(entries: ReadEntry[], notes: Notes): void {
  const first = new Map<string, Entry>()
  for (const { entry, path } of entries) {
    const other = first.get(entry.name)
    if (other === undefined) {
      first.set(entry.name, entry)
      continue
    }
    const message = `more than one ${JSON.stringify(entry.name)} found in the spec`
    const remedy = `the first is on line ${other.place.line}: rename one of them`
    notes.add({ severity: 'error', path, message, remedy, on: 'key' })
    refuse(entry, message)
  }
}

/** Adds a reason why `run` does not serve the entry. */
export function refuse(entry: Entry, reason: string): void {
  entry.refused = entry.refused === undefined ? reason : `${entry.refused}; ${reason}`
}

function knownTypes({ types, upstreamTypes }: Registry): string[] {
  return [...new Set([...upstreamTypes, ...types])]
}

function before(a: Entry, b: Entry): number {
  return a.place.line - b.place.line || a.place.column - b.place.column
}

function example({ types }: Registry): string {
  return `add one under one of ${types.map((type) => quote(type)).join(', ')}`
}

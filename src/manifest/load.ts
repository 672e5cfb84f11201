/** YAML texts → typed objects and everything that is wrong with them, in one run. */

import { definitionOf } from '../buses/index.ts'
import { messageOf } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import { loadSource, types, upstreamTypes } from '../sources/index.ts'
import { checkClaims, noClaims } from './claims.ts'
import { readEventBus } from './eventbus.ts'
import { type ReadEventSource, type Registry, readEventSource } from './eventsource.ts'
import type { CheckFilter } from './filter.ts'
import type { Diagnostic, EventBus, EventSource, Manifest, Place, Values } from './manifest.ts'
import { checkNames } from './names.ts'
import { createNotes, type Notes, sortDiagnostics } from './notes.ts'
import { readKind } from './objects.ts'
import type { PodSecurity } from './podStandards.ts'
import { checkPorts, noPorts } from './ports.ts'
import type { ManifestFile } from './read.ts'
import { podBreaches } from './templateStandards.ts'
import { type MapNode, type Node, nodeAt, plainValue } from './tree.ts'
import { readConfigMap, readSecret } from './values.ts'
import { parseYaml } from './yaml.ts'

export { diagnosticLine } from './notes.ts'
export { readManifestFiles } from './read.ts'

export interface Loaded {
  manifest: Manifest
  /** Errors and warnings: files in the order given, then by line and column. */
  diagnostics: Diagnostic[]
  /** In the same order. */
  advice: Diagnostic[]
}

export interface LoadOptions {
  /** Where source types come from. */
  registry?: Registry
  /** Says what is wrong with a filter expression, or null. Left out: src/filter/ decides. */
  checkFilter?: CheckFilter
  /** `--pod-security` of the controller that is to make the Pods; left out: its default. */
  podSecurity?: PodSecurity
}

/**
 * Reads all documents of all files. Pure but for the import of the source modules (and filter language) that are used. Entries that cannot work
 * are there, with `refused`; objects without a name or a readable kind are not.
 */
export async function loadManifest(
  files: ManifestFile[],
  { registry = { types, upstreamTypes, loadSource }, ...options }: LoadOptions = {},
): Promise<Loaded> {
  const checkFilter = options.checkFilter ?? (await filterChecker(files))
  const diagnostics: Diagnostic[] = []
  const objects: ReadObject[] = []
  const skipped: Manifest['skipped'] = []
  for (const { file, text } of files) {
    const { documents, problems, position } = parseYaml(text)
    for (const { at, ...problem } of problems)
      diagnostics.push({ file, ...position(at), path: [], at: '.', ...problem })
    for (const root of documents.flatMap(withItems)) {
      const notes = createNotes(file, root, position)
      const head = readKind(root, notes)
      if (head?.ours === false)
        skipped.push({
          ...notes.place(['metadata', 'name']),
          kind: head.kind,
          name: nameOf(root),
          object: plainValue(root),
        })
      else if (head !== null) objects.push(await readObject(head.kind, root as MapNode, notes, registry, checkFilter))
      if (head === null) diagnostics.push(...notes.list)
    }
  }
  const kept = withoutSeconds(objects.filter(({ object }) => object !== null && object.name !== ''))
  const manifest: Manifest = {
    eventSources: kept.flatMap(({ read }) => (read === undefined ? [] : [read.source])),
    eventBuses: ofKind<EventBus>(kept, 'EventBus'),
    secrets: ofKind<Values>(kept, 'Secret'),
    configMaps: ofKind<Values>(kept, 'ConfigMap'),
    skipped,
  }
  for (const { kind, object, notes } of objects) {
    if (object === null || !('spec' in object)) continue
    for (const limit of podBreaches(kind, object.spec, options.podSecurity)) notes.add({ severity: 'advice', ...limit })
  }
  checkTogether(objects, manifest.eventBuses)
  diagnostics.push(...objects.flatMap(({ notes }) => notes.list))
  const all = sortDiagnostics(
    diagnostics,
    files.map(({ file }) => file),
  )
  const isAdvice = ({ severity }: Diagnostic) => severity === 'advice'
  return { manifest, diagnostics: all.filter((one) => !isAdvice(one)), advice: all.filter(isAdvice) }
}

/** The language of filters is only loaded when there may be one. */
async function filterChecker(files: ManifestFile[]): Promise<CheckFilter> {
  if (!files.some(({ text }) => text.includes('filter'))) return () => null
  const { compileFilter } = await import('../filter/filter.ts')
  return (expression) => {
    try {
      compileFilter(expression)
      return null
    } catch (error) {
      return messageOf(error)
    }
  }
}

/** One document of ours as read; `object` is null when too little of it can be read. */
interface ReadObject {
  kind: string
  object: EventSource | EventBus | Values | null
  /** Of an EventSource. */
  read?: ReadEventSource
  notes: Notes
}

async function readObject(
  kind: string,
  root: MapNode,
  notes: Notes,
  registry: Registry,
  checkFilter: CheckFilter,
): Promise<ReadObject> {
  if (kind === 'EventSource') {
    const read = await readEventSource(root, registry, checkFilter, notes)
    return { kind, object: read.source, read, notes }
  }
  const readers = { EventBus: readEventBus, Secret: readSecret, ConfigMap: readConfigMap }
  return { kind, object: readers[kind as keyof typeof readers](root, notes), notes }
}

/** Without those whose kind, namespace and name an earlier one has; they get an error. */
function withoutSeconds(objects: ReadObject[]): ReadObject[] {
  const first = new Map<string, Place>()
  return objects.filter(({ kind, object, notes }) => {
    const { namespace, name } = object!
    const key = `${kind}/${namespace}/${name}`
    const place = first.get(key)
    if (place === undefined) {
      first.set(key, notes.place(['metadata', 'name']))
      return true
    }
    const message = `there are two of ${kind} ${quote(name)} in namespace ${namespace}`
    const remedy = `the first is at ${place.file}:${place.line}: rename or remove one`
    notes.add({ severity: 'error', path: ['metadata', 'name'], message, remedy })
    return false
  })
}

function ofKind<T>(objects: ReadObject[], kind: string): T[] {
  return objects.filter((candidate) => candidate.kind === kind).map(({ object }) => object as T)
}

/** What only shows once all documents are known. */
function checkTogether(objects: ReadObject[], buses: EventBus[]): void {
  const ports = noPorts()
  const claimed = noClaims()
  for (const { read, notes } of objects) {
    if (read === undefined) continue
    const { namespace, eventBusName } = read.source
    const bus = buses.find((candidate) => candidate.namespace === namespace && candidate.name === eventBusName)
    checkNames(read, bus !== undefined && definitionOf(bus.kind).anyName === true, notes)
    checkPorts(read.source, read.entries, ports, notes)
    checkClaims(read.source, read.entries, claimed, notes)
  }
}

function nameOf(root: Node): string {
  const name = nodeAt(root, ['metadata', 'name'])
  return name?.kind === 'scalar' && name.value !== null ? String(name.value) : ''
}

/** The objects of a `List`, as `kubectl get -o yaml` writes it; else the document itself. */
function withItems(document: Node): Node[] {
  const kind = nodeAt(document, ['kind'])
  const items = nodeAt(document, ['items'])
  const isList = kind?.kind === 'scalar' && kind.value === 'List' && items?.kind === 'list'
  return isList ? items.items : [document]
}

/**
 * Manifests in which every field that can hold a credential holds a marked one, each another: made from the schemas, so that a new type or field
 * is in them by itself. What is no credential points at one local server.
 */

import { exampleSpecs } from '../../src/manifest/describe.ts'
import { describeSchema, type Field } from '../../src/manifest/fields.ts'
import { secretKeySelector } from '../../src/source/schemas.ts'
import type { SourceDefinition } from '../../src/source.ts'
import { loadSource, types } from '../../src/sources/index.ts'

export interface Sentinels {
  /** EventSources, as JSON. */
  objects: object[]
  /** What is refused as it is, so that no run takes it: for `validate` alone. */
  refused: object[]
  /** Values of Secrets, by `<name>/<key>`. */
  files: Map<string, string>
  /** The field that each mark was put into. */
  marks: Map<string, string>
}

type Json = Record<string, any>
type Path = string[]

/** The schema's name for a selector of a Secret. */
const SELECTOR = describeSchema(secretKeySelector).type
/** Where each server of a spec is, whatever it was in the example. */
const PLACE = /(?:url|address(?:es)?|broker|endpoint|fqdn|host)$/i
/** Texts that are a credential by themselves. */
const SECRET = /(?:password|passwd|token|secret|channelkey|apikey)$/i
/** An address of ours, for a provider to call back: no server that we log in to. */
const OURS = /^(?:webhook|service)$/

/** @param port of the server that everything is sent to @param listen ports of our own: without and with TLS */
export async function sentinels(port: number, listen: readonly [number, number]): Promise<Sentinels> {
  const made: Sentinels = { objects: [], refused: [], files: new Map(), marks: new Map() }
  for (const type of types) {
    const definition = (await loadSource(type))!
    const [entries, refused]: Json[] = [{}, {}]
    for (const [n, spec] of [...entriesOf(definition, made, port)].entries()) {
      const own = listening(spec, `/${type}/e${n}`, listen)
      const into = fits(definition, own) ? entries! : refused!
      into[`e${n}`] = own
    }
    const object = (name: string, of: Json) => ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'EventSource',
      metadata: { name },
      spec: { [type]: of },
    })
    made.objects.push(object(type.toLowerCase(), entries!))
    if (Object.keys(refused!).length > 0) made.refused.push(object(`${type.toLowerCase()}-refused`, refused!))
  }
  return made
}

/** An entry for each field of a credential, twice for a Secret: once with a value that no protocol takes. */
function* entriesOf(definition: SourceDefinition<any, any>, made: Sentinels, port: number): Generator<Json> {
  // the one that says most: with hooks, logins…
  const size = (spec: Json) => JSON.stringify(spec).length
  const [example = {}] = exampleSpecs(definition).sort((a, b) => size(b) - size(a))
  // a path of ours is no server
  const fields = [...leavesOf(describeSchema(definition.spec), [])].filter(
    ({ path }) => !/^\//.test(String(at(example, path))),
  )
  const base = structuredClone(example) as Json
  delete base.filter
  // a provider is told where to send, so that its hooks are registered
  if (definition.hooks !== undefined && base.webhook !== undefined) base.webhook.url = 'https://hooks.example'
  if (describeSchema(definition.spec).fields?.namespace !== undefined) base.namespace ??= 'default'
  const placed = (path: Path, list: boolean) => addressLike(at(base, path) ?? unsaid(path), port, list)
  for (const { path, kind, list } of fields)
    if (kind === 'place' && (at(base, path) !== undefined || path.length === 1)) put(base, path, placed(path, list))
  for (const { path, kind } of fields) {
    const given = at(base, path) as { name: string; key: string } | undefined
    if (kind === 'selector' && given !== undefined)
      made.files.set(
        `${given.name}/${given.key}`,
        markOf(made, `${definition.type}.${path.join('.')} (of the example)`),
      )
  }
  let n = 0
  const selectors = fields.filter(({ kind }) => kind === 'selector').map(({ path }) => path)
  for (const { path, kind, list } of fields) {
    const field = `${definition.type}.${path.join('.')}`
    for (const odd of kind === 'selector' ? [false, true] : [false]) {
      const mark = markOf(made, field)
      if (kind === 'selector') {
        const value = (of: Path) => {
          const key = `${definition.type}-${of.join('-')}-${odd ? 'odd' : 'plain'}`
          if (of === path) made.files.set(`sentinel/${key}`, odd ? `${mark}\u0001é` : mark)
          return { name: 'sentinel', key }
        }
        n++
        // what a part of a spec logs in to is beside it
        const around = structuredClone(base)
        for (const { path: of, kind: its, list } of fields)
          if (its === 'place' && of.length > 1 && path.slice(0, -1).join().startsWith(of.slice(0, -1).join()))
            put(around, of, placed(of, list))
        yield withSelectors(definition, around, path, selectors, value)
        continue
      }
      const spec = structuredClone(base)
      put(
        spec,
        path,
        kind === 'text'
          ? mark
          : withLogin(at(base, path) ?? unsaid(path), mark, markOf(made, `${field} (parameter)`), port, list),
      )
      n++
      yield spec
    }
  }
  if (n === 0) yield base
}

/** Where a type listens, each entry has an endpoint of its own. */
function listening(spec: Json, endpoint: string, [plain, tls]: readonly [number, number]): Json {
  const inner = (spec.webhook ?? spec) as Json
  if (inner.port === undefined) return spec
  const secure = inner.serverCertSecret !== undefined || inner.serverKeySecret !== undefined
  const own = { ...inner, endpoint, port: String(secure ? tls : plain) }
  return spec.webhook === undefined ? own : { ...spec, webhook: own }
}

/** The field by itself, or with those that it needs (its neighbours, or all), or without a place that it replaces. */
function withSelectors(
  definition: SourceDefinition<any, any>,
  base: Json,
  path: Path,
  selectors: readonly Path[],
  value: (of: Path) => object,
): Json {
  const parent = JSON.stringify(path.slice(0, -1))
  const neighbours = selectors.filter((one) => JSON.stringify(one.slice(0, -1)) === parent)
  const without = [undefined, ...Object.keys(base).filter((name) => PLACE.test(name))]
  const specs = without.flatMap((gone) =>
    [[path], neighbours, selectors].map((chosen) => {
      const spec = structuredClone(base)
      if (gone !== undefined) delete spec[gone]
      for (const one of chosen) put(spec, one, value(one))
      return spec
    }),
  )
  return specs.find((spec) => fits(definition, spec)) ?? specs[0]!
}

const fits = ({ spec: schema, validate }: SourceDefinition<any, any>, spec: Json): boolean => {
  const parsed = schema.safeParse(spec)
  return parsed.success && (validate?.(parsed.data) ?? []).every(({ severity }) => severity !== 'error')
}

function markOf({ marks }: Sentinels, field: string): string {
  const mark = `S3ntinel${marks.size.toString(36).padStart(3, '0')}Zq7`
  marks.set(mark, field)
  return mark
}

interface Leaf {
  path: Path
  kind: 'selector' | 'place' | 'text'
  list: boolean
}

/** Fields that can hold a credential: selectors of Secrets, addresses, and texts that are one. */
function* leavesOf(field: Field, path: Path): Generator<Leaf> {
  const name = path.at(-1) ?? ''
  if (OURS.test(path[0] ?? '') && field.kind === 'string') return
  if (field.kind === 'object' && field.fields !== undefined) {
    if (field.type === SELECTOR) {
      yield { path, kind: 'selector', list: false }
      return
    }
    for (const [member, child] of Object.entries(field.fields)) yield* leavesOf(child, [...path, member])
  } else if (field.kind === 'list' && field.item?.kind === 'string' && PLACE.test(name))
    yield { path, kind: 'place', list: true }
  else if (field.kind === 'list' && field.item?.fields !== undefined) yield* leavesOf(field.item, [...path, '0'])
  else if (field.kind === 'string' && PLACE.test(name)) yield { path, kind: 'place', list: false }
  else if (field.kind === 'string' && SECRET.test(name)) yield { path, kind: 'text', list: false }
}

const at = (spec: Json, path: Path): any => path.reduce<any>((value, step) => value?.[step], spec)

function put(spec: Json, path: Path, value: unknown): void {
  let inner = spec
  for (const [i, step] of path.slice(0, -1).entries()) inner = inner[step] ??= path[i + 1] === '0' ? [] : {}
  inner[path.at(-1)!] = value
}

const schemeOf = (value: unknown): string => /^[a-z][a-z0-9+.-]*:\/\//i.exec(String([value].flat()[0] ?? ''))?.[0] ?? ''

/** Where no example says what an address looks like, its name does. */
const unsaid = (path: Path): string => (/url|web/i.test(path.at(-1)!) ? 'http://h' : 'h')

function addressLike(value: unknown, port: number, list: boolean): unknown {
  const text = `${schemeOf(value).replace('https:', 'http:')}127.0.0.1:${port}`
  return list ? [text] : text
}

function withLogin(value: unknown, password: string, token: string, port: number, list: boolean): unknown {
  const scheme = schemeOf(value)
  const query = scheme === '' ? '' : `/x?token=${token}`
  const text = `${scheme}u:${password}@127.0.0.1:${port}${query}`
  return list ? [text] : text
}

/** The marks that a text shows, also in base64 and percent-encoded; as `mark (field)`. */
export function shownIn(text: string, { marks }: Pick<Sentinels, 'marks'>): string[] {
  const found = new Set<string>()
  const look = (one: string) => {
    for (const [mark] of one.matchAll(/S3ntinel[0-9a-z]{3}Zq7/g))
      if (marks.has(mark)) found.add(`${mark} (${marks.get(mark)})`)
  }
  look(text)
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{12,}/g))
    for (const from of [0, 1, 2, 3]) look(Buffer.from(run.slice(from), 'base64').toString('latin1'))
  return [...found]
}

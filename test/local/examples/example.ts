/** An example file as it runs here: what is put into it, what is sent, and what must then be on the bus. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Document, parseAllDocuments } from 'yaml'

const root = path.resolve(import.meta.dirname, '../../..')
/** Where examples are: ours, and those of Argo Events, which are not part of the repository. */
const folders = {
  ours: 'examples',
  upstream: '../shared/data/upstream/event-sources',
  'upstream-eventbus': '../shared/data/upstream/eventbus',
}
type Folder = keyof typeof folders

/** Names of all files of a folder, such as `amqp` of ours and `upstream/amqp`; none when it is not there. */
export function exampleFiles(of: Folder): string[] {
  const folder = path.join(root, folders[of])
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  return names.map((name) => `${of === 'ours' ? '' : `${of}/`}${path.basename(name, '.yaml')}`)
}

/** Why a test of upstream's examples is skipped, or false. */
export const noUpstream = (of: Folder): string | false =>
  exampleFiles(of).length === 0 && `upstream's examples are not at ${folders[of]}`

export function exampleText(file: string): string {
  const folder = file.includes('/') ? (path.dirname(file) as Folder) : 'ours'
  return readFileSync(path.join(root, folders[folder], `${path.basename(file)}.yaml`), 'utf8')
}

export interface Example {
  /** Fields that are another here: by their path below `spec`, as in `amqp.example.url`. */
  put?: Record<string, unknown>
  /** Secrets as this origin has them, by name and key; they replace those that come with the example. */
  secrets?: Record<string, Record<string, string>>
  /** By entry; all that the file has. */
  entries: Record<string, Sent>
}

export interface Sent {
  /** The `n`th message, object or change, from 1. Left out: events come by themselves. @throws when the origin does not take it now */
  send?(n: number): Promise<unknown>
  /** What the data of its event has, at least. */
  data(n: number): object
}

/** What examples of one kind need, and what they are then. */
export interface Origin<File extends string = string> {
  files: readonly File[]
  /** Why it cannot be had. */
  skip: string | false
  start(): Promise<Running<File>>
}

export interface Running<File extends string = string> {
  examples: Record<File, Example>
  /** For all processes of the run. */
  env?: Record<string, string>
  close?(): unknown
}

/** Lets the compiler see that every file has its example. */
export const origin = <const File extends string>(one: Origin<File>): Origin => one as unknown as Origin

/** The example's text with what is put into it, in a namespace of its own. */
export function placed(file: string, { put = {}, secrets = {} }: Omit<Example, 'entries'>): string {
  const documents: Document[] = [...parseAllDocuments(exampleText(file))]
  for (const [fieldPath, value] of Object.entries(put)) {
    const steps = fieldPath.split('.')
    const document = documents.find((one) => one.hasIn(['spec', ...steps.slice(0, 2)]))
    assert.ok(document, `${file} has no ${fieldPath}`)
    document.setIn(['spec', ...steps], document.createNode(value))
  }
  for (const [name, stringData] of Object.entries(secrets)) {
    const given = documents.find((one) => one.get('kind') === 'Secret' && one.getIn(['metadata', 'name']) === name)
    if (given !== undefined) given.set('stringData', given.createNode(stringData))
    else {
      documents.push(new Document({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData }))
    }
  }
  for (const document of documents) document.setIn(['metadata', 'namespace'], namespaceOf(file))
  return documents.map((document) => document.toString({ directives: false })).join('---\n')
}

export const namespaceOf = (file: string): string => file.replace('/', '-')

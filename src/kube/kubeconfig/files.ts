/** Kubeconfig files, put together as kubectl does (kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig). */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** The fields of a cluster, user or context as they stand in the file, and the directory that relative paths are meant from. */
export type Entry = Readonly<Record<string, any>> & { readonly dir: string }

export interface Kubeconfig {
  clusters: Map<string, Entry>
  users: Map<string, Entry>
  contexts: Map<string, Entry>
  current: string | undefined
}

/** What several files name alike is the first one's. @throws what reading and parsing throw */
export async function merged(files: string[]): Promise<Kubeconfig> {
  const { parse } = await import('yaml')
  const all: Kubeconfig = { clusters: new Map(), users: new Map(), contexts: new Map(), current: undefined }
  for (const file of files) {
    const found = parse(await readFile(file, 'utf8')) ?? {}
    const dir = dirname(resolve(file))
    for (const [into, list, member] of [
      [all.clusters, found.clusters, 'cluster'],
      [all.users, found.users, 'user'],
      [all.contexts, found.contexts, 'context'],
    ] as const) {
      for (const one of Array.isArray(list) ? list : [])
        if (!into.has(one?.name)) into.set(one?.name, { ...one?.[member], dir })
    }
    all.current ??= found['current-context'] || undefined
  }
  return all
}

/** Of `<field>-data` (base64), or of the file that `<field>` names; undefined when there is neither. */
export async function bytesOf(entry: Entry, field: string): Promise<Buffer | undefined> {
  const data = entry[`${field}-data`]
  if (data) return Buffer.from(data, 'base64')
  return entry[field] ? await readFile(resolve(entry.dir, entry[field])) : undefined
}

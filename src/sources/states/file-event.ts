/** Events of files, as `file` and `hdfs` tell them. */
import { goJson, sortedMap } from '../../core/json.ts'

/** The kinds and their numbers in the payload, which are bits. */
export const ops = { CREATE: 1, WRITE: 2, REMOVE: 4, RENAME: 8, CHMOD: 16 } as const
export type Op = keyof typeof ops

/** @returns what makes a payload as in Argo Events, JSON text; `op`: bits of {@link ops} */
export function fileEvents(given: Readonly<Record<string, string>> = {}): (name: string, op: number) => string {
  // An empty map is dropped on its way to upstream's source, too.
  const metadata = Object.keys(given).length === 0 ? null : sortedMap(given)
  return (name, op) => goJson({ name, op, metadata })
}

/** The full path. @param directory without a slash at its end, unless it is the root */
export const pathWithin = (directory: string, name: string): string => `${directory === '/' ? '' : directory}/${name}`

/** Collects what is wrong with one document; each finding gets its place in the file. */
import { printable } from '../core/printable.ts'
import type { Finding } from '../source.ts'
import type { Diagnostic, Place } from './manifest.ts'
import { type Node, offsetOf, type Path, pathText } from './tree.ts'

export interface Note {
  severity: Finding['severity']
  path: Path
  message: string
  remedy?: string | undefined
  fatal?: boolean | undefined
  /** Points at the key although the value is a scalar: the key itself is the mistake. */
  on?: 'key' | 'value'
}

export interface Notes {
  /** In the order in which they were found. */
  readonly list: Diagnostic[]
  add(note: Note): void
  /** Where `path` stands. */
  place(path: Path, on?: 'key' | 'value'): Place
}

export function createNotes(
  file: string,
  root: Node,
  position: (at: number) => { line: number; column: number },
): Notes {
  const list: Diagnostic[] = []
  const place: Notes['place'] = (path, on) => ({ file, ...position(offsetOf(root, path, on)) })
  return {
    list,
    place,
    add({ severity, path, message, remedy, fatal, on }) {
      list.push({
        ...place(path, on),
        severity,
        path: [...path],
        at: pathText(path),
        message,
        ...(remedy === undefined ? {} : { remedy }),
        ...(fatal === true ? { fatal } : {}),
      })
    },
  }
}

/**
 * One line of `vedette validate`: `file:line:col: error: path: message (remedy)`. Characters that could steer a terminal
 * are written as escapes.
 */
export function diagnosticLine({ file, line, column, severity, at, message, remedy }: Diagnostic): string {
  // Upstream has an error without words; the remedy speaks for it.
  const text = message === '' ? (remedy ?? 'is not valid') : remedy === undefined ? message : `${message} (${remedy})`
  return printable(`${file}:${line}:${column}: ${severity}: ${at}: ${text}`)
}

/** Files in the order given, then by place; those of one place stay in the order found. */
export function sortDiagnostics(diagnostics: Diagnostic[], files: readonly string[]): Diagnostic[] {
  const order = new Map(files.map((file, index) => [file, index]))
  return diagnostics.toSorted(
    (a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || a.line - b.line || a.column - b.column,
  )
}

import type { Line } from '../faults/rig.ts'

/** Whether something is among the lines that come from now on; looks at each once. */
export function lookout(lines: readonly Line[], wanted: (line: Line) => boolean): () => boolean {
  let next = lines.length
  return () => {
    const from = next
    next = lines.length
    return lines.slice(from).some(wanted)
  }
}

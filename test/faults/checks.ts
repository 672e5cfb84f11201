/** What must hold of the log after a fault. */
import assert from 'node:assert/strict'
import { dataOf, type Line } from './rig.ts'

/** Every acknowledged key is on the log. @returns how often each key is there */
export function assertAcknowledged(lines: Line[], acknowledged: readonly string[]): Map<string, number> {
  const count = new Map<string, number>()
  for (const line of lines) {
    const { key } = dataOf(line).body as { key: string }
    count.set(key, (count.get(key) ?? 0) + 1)
  }
  const lost = acknowledged.filter((key) => !count.has(key))
  assert.deepEqual(lost, [], `${lost.length} of ${acknowledged.length} acknowledged events are not on the log`)
  return count
}

/** Every acknowledged key is on the log exactly once; nothing else is doubled either. @returns events on the log */
export function assertAcknowledgedOnce(lines: Line[], acknowledged: readonly string[]): number {
  const count = assertAcknowledged(lines, acknowledged)
  const doubled = [...count].filter(([, times]) => times > 1).map(([key]) => key)
  assert.deepEqual(doubled, [], `${doubled.length} events are on the log more than once`)
  return lines.length
}

/** Sequence numbers rise. */
export function assertOrdered(lines: Line[]): void {
  for (let i = 1; i < lines.length; i++) assert.ok(lines[i]!.seq > lines[i - 1]!.seq)
}

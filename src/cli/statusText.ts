/** `vedette status` for people. Pure. */
import { notServedLine } from '../api/served.ts'
import type { DeliveryStatus, EntryStatus, ReplicaStatus, SourceStatus, Status } from '../api/status.ts'
import { formatMs } from '../core/duration.ts'
import { printable } from '../core/printable.ts'
import { transportWords } from '../runtime/transport.ts'

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'
export type Paint = (style: Style, text: string) => string

/** Entries that have no error but are not served: so many are named. */
const NAMED_UNSERVED = 10
const HEAD = ['SOURCE / ENTRY', 'TYPE', 'SERVED BY', 'TERM', 'PUBLISHED', 'LAST EVENT']

export function statusText(status: Status, { nowMs, paint }: { nowMs: number; paint: Paint }): string {
  const lines: string[] = []
  const rows = status.eventSources.flatMap((source) => source.entries.map((entry) => rowOf(source, entry, nowMs)))
  const table = aligned([HEAD, ...rows])
  lines.push(paint('dim', table[0] ?? ''))
  let row = 1
  for (const source of status.eventSources) {
    for (const entry of source.entries) {
      lines.push(table[row++] ?? '')
      const since = entry.errorSince === undefined ? '' : ` (for ${ago(entry.errorSince, nowMs)})`
      if (entry.error !== null) lines.push(paint('red', `  ${printable(entry.error)}${since}`))
      if (entry.unsigned === true)
        lines.push(paint('yellow', '  unsigned: anybody who reaches the port can send events; see vedette validate'))
      if (entry.skipped) lines.push(paint('yellow', `  ${entry.skipped} could never be stored and were skipped`))
      if (entry.filterErrors) lines.push(paint('yellow', `  the filter failed on ${entry.filterErrors}`))
    }
  }
  lines.push('')
  for (const source of status.eventSources) {
    lines.push(
      `${paint('bold', source.name)}  ${source.replicas.map((replica) => replicaText(replica, paint)).join('   ') || 'no replicas'}`,
    )
  }
  lines.push('')
  const { bus, notServed } = status
  if (notServed.length > 0) {
    const all = status.eventSources.reduce((sum, { entries }) => sum + entries.length, 0)
    lines.push(paint('red', `not ready: ${notServed.length} of ${all} entries not served`))
    // the errors that an entry shows itself stand beneath it
    const told = new Set(status.eventSources.flatMap(({ entries }) => entries.map(({ error }) => error)))
    for (const one of notServed.filter(({ why }) => !told.has(why)).slice(0, NAMED_UNSERVED))
      lines.push(`  ${printable(notServedLine(one))}`)
  }
  lines.push(
    bus.connected
      ? `bus ${bus.kind}, ${bus.fencing === 'strict' ? 'refuses older terms' : paint('yellow', `cannot refuse older terms (lease-only)${bus.reason === undefined ? '' : `: ${printable(bus.reason)}`}`)}`
      : paint(
          'red',
          `bus ${bus.kind} does not answer: ${printable(bus.error ?? '')} (senders get 503${bus.kind === 'embedded' ? '; it is restarted' : ''})`,
        ),
  )
  if (bus.connected && bus.error !== undefined) lines.push(paint('red', printable(bus.error)))
  if (bus.connected && bus.transport !== undefined) {
    const { text, remedy } = transportWords[bus.transport]
    lines.push(remedy === undefined ? text : paint('yellow', text))
  }
  if (status.deliver !== undefined) lines.push(...deliveryText(status.deliver, nowMs, paint))
  for (const failover of status.failovers.slice(-5)) {
    const { at, source, from, to, term, reason, gapMs } = failover
    const gap = gapMs === null ? '' : `, gap ${formatMs(gapMs)}`
    lines.push(
      paint('dim', `${ago(at, nowMs)} ago  ${source}: ${from ?? 'nobody'} → ${to}, term ${term} (${reason}${gap})`),
    )
  }
  if (status.problems.length > 0) {
    lines.push(paint('red', 'the files as they are now are not applied; this runs with what was valid before:'))
    for (const problem of status.problems) lines.push(`  ${printable(problem)}`)
  }
  return `${lines.join('\n')}\n`
}

function deliveryText(deliver: DeliveryStatus, nowMs: number, paint: Paint): string[] {
  const { url, delivered, lost, cursor, head, error, errorSince, oldestAt, held } = deliver
  const oldest = oldestAt === undefined ? '' : `, the oldest of ${ago(oldestAt, nowMs)} ago`
  const behind = head > cursor ? `, behind by up to ${head - cursor}${oldest}` : ''
  const lines = [`delivers to ${url}: ${delivered} in this run${behind}`]
  if (error !== null) {
    const since = errorSince === undefined ? '' : ` (for ${ago(errorSince, nowMs)})`
    lines.push(paint('red', `  ${printable(error)}${since}; it is tried again until it works`))
  }
  if (held !== undefined) {
    const { id, seq, subject, refusals, nextAttemptAt, droppedAfter } = held
    const waitMs = nextAttemptAt === null ? 0 : Date.parse(nextAttemptAt) - nowMs
    const next = waitMs > 0 ? `, the next time in ${formatMs(waitMs)}` : ''
    const times = `${refusals} ${refusals === 1 ? 'time' : 'times'}`
    lines.push(paint('red', printable(`  event ${id} of ${subject}, number ${seq}, was tried ${times}${next}`)))
    if (droppedAfter !== undefined)
      lines.push(
        paint('red', `  the bus has let go up to ${droppedAfter} events after it (its limits of age and size)`),
      )
  }
  if (lost > 0) lines.push(paint('red', `  up to ${lost} events were let go by the bus before they could be delivered`))
  return lines
}

function rowOf(source: SourceStatus, entry: EntryStatus, nowMs: number): string[] {
  return [
    printable(`${source.name} / ${entry.name}`),
    printable(entry.type),
    servedBy(source, entry),
    entry.term === null ? '-' : String(entry.term),
    String(entry.published),
    entry.lastEventAt === null ? '-' : `${ago(entry.lastEventAt, nowMs)} ago`,
  ]
}

/** Who serves it now, as the replicas themselves say: holding the lead, or having an open port elsewhere, is not serving. */
function servedBy({ replicas }: SourceStatus, { strategy, leader, serving, error }: EntryStatus): string {
  if (strategy !== 'active-passive') return `${serving} of ${replicas.length} replicas`
  if (leader === null) return error === null ? 'nobody yet' : 'not served'
  return serving > 0 ? leader : `${leader}, not yet`
}

function replicaText({ id, pid, state, restarts, silentMs }: ReplicaStatus, paint: Paint): string {
  const color = { serving: 'green', standby: 'dim', starting: 'yellow', draining: 'yellow', down: 'red' } as const
  const more = [
    ...(pid === null ? [] : [`pid ${pid}`]),
    ...(restarts > 0 ? [`${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`] : []),
    ...(silentMs === undefined ? [] : [`silent for ${formatMs(silentMs)}`]),
  ]
  return `${id} ${paint(color[state], state)}${more.length > 0 ? ` (${more.join(', ')})` : ''}`
}

export function ago(at: string, nowMs: number): string {
  return formatMs(Math.max(0, nowMs - Date.parse(at)))
}

/** Columns as wide as their widest cell, numbers to the right. */
export function aligned(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 3 || column === 4 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  )
}

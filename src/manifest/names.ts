/** Names that a bus cannot carry: they become tokens of the subject `default.<eventsource>.<event>`. */

import { quote } from '../core/quote.ts'
import type { ReadEventSource } from './eventsource.ts'
import { refuse } from './eventsource.ts'
import type { Notes } from './notes.ts'

/**
 * Upstream accepts every name and then publishes some of them into nothing; so these are warnings.
 * @param anyName the bus carries every name
 */
export function checkNames({ source, entries }: ReadEventSource, anyName: boolean, notes: Notes): void {
  const own = anyName ? null : unfit('EventSource', source.name)
  if (own !== null) {
    notes.add({ severity: 'warning', path: ['metadata', 'name'], ...own })
    if (own.fatal) for (const { entry } of entries) refuse(entry, own.message)
  }
  for (const { entry, path } of entries) {
    const found = reserved(entry.name) ?? (anyName ? null : unfit('event', entry.name))
    if (found === null) continue
    notes.add({ severity: 'warning', path, on: 'key', ...found })
    if (found.fatal) refuse(entry, found.message)
  }
}

interface Unfit {
  message: string
  remedy: string
  fatal: boolean
}

function reserved(name: string): Unfit | null {
  if (name === '') return { message: 'the event has no name', remedy: 'name it', fatal: true }
  if (!name.startsWith('$')) return null
  const message = `the event name ${quote(name)} begins with "$", which is kept for the bus's own records`
  return { message, remedy: 'rename it', fatal: true }
}

function unfit(what: string, name: string): Unfit | null {
  const says = (why: string, remedy: string, fatal: boolean) => ({
    message: `the ${what} name ${quote(name)} ${why}`,
    remedy,
    fatal,
  })
  if (name.includes('.')) return says('contains ".", so no stream takes its subject', 'write "-" instead', true)
  if (/\s/.test(name)) return says('contains white space, so its subject is invalid', 'write "-" instead', true)
  if (/[*>]/.test(name)) return says('contains a wildcard: whoever reads it gets other events too', 'rename it', false)
  return null
}

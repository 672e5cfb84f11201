/**
 * What must never be seen is blanked out where texts leave the process: log, status, API, metrics, probes, records, command line. A
 * redactor is made at the edge of a process and handed in, as its clock and its log are.
 *
 * Hidden are the credentials of URLs, by their form ({@link withoutCredentials}), and the values that the redactor was told: of Secrets, when
 * they are read. Of a value each line counts by itself as well, and each also in base64, percent-encoded and escaped as in JSON.
 */
import { formsOf } from './secret-forms.ts'
import { HIDDEN, withoutCredentials } from './url-credentials.ts'

/** The text without what is secret in it. */
export type Redact = (text: string) => string

export interface Redactor {
  redact: Redact
  /** Hides this value, and what it is made of, from now on. Told again: nothing more happens. */
  hide(value: string): void
}

/** Secrets are rotated, and a process lives long: the values told last are kept, at most so many. */
const MOST_VALUES = 10_000

export function createRedactor(): Redactor {
  /** What is looked for, by the value that it is made of; in the order in which they were told. */
  const known = new Map<string, readonly Hidden[]>()
  let inOrder: readonly Hidden[] | null = null
  /** The longest first, so that no part of one is left when another one is in it. */
  const all = (): readonly Hidden[] => {
    inOrder ??= [...known.values()].flat().sort((a, b) => b.form.length - a.form.length)
    return inOrder
  }
  return {
    hide(value) {
      if (known.has(value)) return
      const hidden = formsOf(value).map(({ form, word }) => ({ form, word: word ? wordLike(form) : null }))
      if (hidden.length === 0) return
      known.set(value, hidden)
      if (known.size > MOST_VALUES) known.delete(known.keys().next().value!)
      inOrder = null
    },
    redact(text) {
      let shown = text
      for (const { form, word } of all()) {
        if (shown.includes(form)) shown = shown.replaceAll(word ?? form, HIDDEN)
      }
      return withoutCredentials(shown)
    },
  }
}

interface Hidden {
  form: string
  /** It is hidden only where this finds it. */
  word: RegExp | null
}

const wordLike = (form: string): RegExp =>
  new RegExp(`(?<![\\p{L}\\p{N}])${form.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}(?![\\p{L}\\p{N}])`, 'gu')

/** All texts in a value of JSON; keys stay, and so does what is no text. */
export function redactedIn<T>(value: T, redact: Redact): T {
  if (typeof value === 'string') return redact(value) as T
  if (Array.isArray(value)) return value.map((one) => redactedIn(one, redact)) as T
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, redactedIn(one, redact)])) as T
}

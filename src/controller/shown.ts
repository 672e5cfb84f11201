/** What the controller writes about an object for people: without the credentials that stand in its fields, and with nothing that steers a terminal. */
import { printable } from '../core/printable.ts'
import { createRedactor, type Redact } from '../core/redact.ts'
import { credentialsOf } from '../manifest/credentials.ts'

/** @param object as written */
export function shownFor(object: object): Redact {
  const { hide, redact } = createRedactor()
  for (const value of credentialsOf('spec' in object ? object.spec : null)) hide(value)
  return (text) => printable(redact(text))
}

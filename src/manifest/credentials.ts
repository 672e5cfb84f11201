/** What of a manifest must never be seen: the values of its Secrets, and the logins that stand in the fields of its objects. */
import type { Redactor } from '../core/redact.ts'
import { credentialsOfUrl } from '../core/url-credentials.ts'
import type { Manifest } from './manifest.ts'

/** Fields that hold a credential as plain text, of whichever type; of a selector of a Secret the members are called otherwise. */
const CREDENTIAL = /(?:password|passwd|secret|token|credentials?|(?:channel|api|private|access|secret|account)_?key)$/i
/** Fields that hold a whole file of settings. */
const SETTINGS = /^config$/

export function hideCredentials(
  { eventSources, eventBuses, secrets }: Pick<Manifest, 'eventSources' | 'eventBuses' | 'secrets'>,
  redactor: Pick<Redactor, 'hide'>,
): void {
  for (const { data } of secrets) for (const value of Object.values(data)) redactor.hide(value)
  for (const { spec } of [...eventSources, ...eventBuses]) for (const value of credentialsOf(spec)) redactor.hide(value)
}

/** The credentials that stand in a value of JSON. @param field the name that it has */
export function credentialsOf(value: unknown, field = ''): string[] {
  if (typeof value === 'string') {
    return CREDENTIAL.test(field) || SETTINGS.test(field)
      ? [value, ...credentialsOfUrl(value)]
      : credentialsOfUrl(value)
  }
  if (value === null || typeof value !== 'object') return []
  if (Array.isArray(value)) return value.flatMap((one) => credentialsOf(one, field))
  return Object.entries(value).flatMap(([name, one]) => credentialsOf(one, name))
}

/** What upstream accepts of a hook type's spec although the provider that posts to it cannot work with it. */
import type { Finding } from '../../source.ts'
import { hasScheme } from '../http/base-url.ts'
import type { WebhookContext } from './webhook-context.ts'

export const isHttpUrl = (text: string): boolean => /^https?:$/.test(URL.parse(text)?.protocol ?? '')

/**
 * @param provider its name, for the messages
 * @param urlNeeded whether an entry without `url` cannot work
 * @param signed how requests can be verified instead of by a token; null: the provider can be told to send one
 */
export function providerFindings(
  webhook: Pick<WebhookContext, 'url' | 'authSecret'>,
  { provider, urlNeeded = false, signed }: { provider: string; urlNeeded?: boolean; signed: string | null },
): Finding[] {
  const findings: Finding[] = []
  const { url, authSecret } = webhook
  if ((urlNeeded || url !== '') && !isHttpUrl(url)) {
    findings.push({
      severity: 'warning',
      fatal: urlNeeded,
      path: ['webhook', 'url'],
      message: `${provider} cannot post to ${JSON.stringify(url)}`,
      remedy: `write url: https://host, as ${provider} reaches it`,
    })
  }
  if (authSecret !== undefined && signed !== null) {
    findings.push({
      severity: 'warning',
      path: ['webhook', 'authSecret'],
      message: `${provider} sends no bearer token: only a proxy in between could`,
      remedy: `remove authSecret, ${signed}`,
    })
  }
  return findings
}

/** Of the address of a provider's API. @param base empty: there is none, or upstream has refused that */
export function baseFindings(base: string, field: string): Finding[] {
  if (base === '' || isHttpUrl(base)) return []
  const path = [field]
  const meant = `https://${base}`
  if (hasScheme(base) || !isHttpUrl(meant)) {
    const message = `${JSON.stringify(base)} is no http(s) URL: no hook can be created`
    return [{ severity: 'warning', path, message, remedy: 'write https://host' }]
  }
  const message = `${JSON.stringify(base)} has no scheme, with which Argo Events creates no hook: taken as ${meant}`
  return [{ severity: 'warning', path, message, remedy: `write ${meant}` }]
}

/** What upstream accepts of a `webhook` although the provider that posts to it cannot work with it. */
import type { Finding } from '../../source.ts'
import type { WebhookContext } from './webhook-context.ts'

export const isHttpUrl = (text: string): boolean => /^https?:$/.test(URL.parse(text)?.protocol ?? '')

/**
 * @param provider its name, for the messages
 * @param urlNeeded whether an entry without `url` cannot work. @param signed how requests can be verified instead of by a token
 */
export function providerFindings(
  webhook: Pick<WebhookContext, 'url' | 'authSecret'>,
  { provider, urlNeeded, signed }: { provider: string; urlNeeded: boolean; signed: string },
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
  if (authSecret !== undefined) {
    findings.push({
      severity: 'warning',
      path: ['webhook', 'authSecret'],
      message: `${provider} sends no bearer token: only a proxy in between could`,
      remedy: `remove authSecret, ${signed}`,
    })
  }
  return findings
}

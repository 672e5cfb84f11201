/** The fields of an Event Hubs entry, upstream's rules for them, and what can never work. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import type { Finding } from '../../source.ts'

export const specSchema = z.object({
  fqdn: z
    .string()
    .default('')
    .describe('The host of the namespace, `<namespace>.servicebus.windows.net`; with `:port` when it is not 5671.'),
  hubName: z.string().default('').describe('The event hub.'),
  sharedAccessKeyName: secretKeySelector
    .optional()
    .describe(
      'The name of a shared access policy with the right to listen. Without it and `sharedAccessKey`: the credentials of the process (environment, workload identity, managed identity, `az login`).',
    ),
  sharedAccessKey: secretKeySelector.optional().describe('The key of that policy.'),
  useDevelopmentEmulator: z
    .boolean()
    .default(false)
    .describe(
      "`fqdn` is Microsoft's emulator, which speaks AMQP without TLS, at port 5672 if none is written. Means the same as in a connection string.",
    ),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type AzureEventsHubSpec = z.output<typeof specSchema>

export function validateSpec(spec: AzureEventsHubSpec): Finding[] {
  const findings = upstreamRules(spec)
  return findings.length > 0 ? findings : cannotWork(spec)
}

function upstreamRules({ fqdn, hubName, sharedAccessKeyName, sharedAccessKey }: AzureEventsHubSpec): Finding[] {
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (fqdn === '') return error('fqdn', 'FQDN is not specified', 'write fqdn: <namespace>.servicebus.windows.net')
  if (hubName === '') return error('hubName', 'hub name/path is not specified', 'name the event hub')
  if ((sharedAccessKeyName === undefined) !== (sharedAccessKey === undefined)) {
    const missing = sharedAccessKey === undefined ? 'sharedAccessKey' : 'sharedAccessKeyName'
    const message = 'SharedAccessKey or SharedAccessKeyName is not specified. If one is set then both must be set'
    return error(missing, message, `add ${missing}, or leave both out to use the credentials of the process`)
  }
  return []
}

function cannotWork({ fqdn, hubName, sharedAccessKey, useDevelopmentEmulator }: AzureEventsHubSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (path: string[], message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path, message, remedy })
  const port = /^[A-Za-z0-9._-]+(?::(\d{1,5}))?$/.exec(fqdn)
  if (port === null || Number(port[1] ?? 1) > 65_535 || Number(port[1] ?? 1) === 0)
    fatal(['fqdn'], 'the FQDN is no host name', 'write <namespace>.servicebus.windows.net, without sb:// and path')
  // https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsofteventhub
  if (!/^[A-Za-z0-9._-]{1,256}$/.test(hubName))
    fatal(['hubName'], 'no event hub has such a name', 'write letters, digits, periods, hyphens and underscores')
  if (useDevelopmentEmulator && sharedAccessKey === undefined)
    fatal(
      ['useDevelopmentEmulator'],
      'the emulator knows shared access keys only',
      'add sharedAccessKeyName and sharedAccessKey',
    )
  if (useDevelopmentEmulator && !/^(localhost|127\.[\d.]+)(:\d+)?$/.test(fqdn))
    findings.push({
      severity: 'advice',
      path: ['useDevelopmentEmulator'],
      message: 'events and tokens go over the network without TLS',
      remedy: 'leave it out, unless this is an emulator for tests',
    })
  return findings
}

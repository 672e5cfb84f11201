/** The fields of an HDFS entry, and upstream's rules for them. */
import { z } from 'zod'
import { parseDurationMs } from '../../core/duration.ts'
import { messageOf } from '../../core/errors.ts'
import { configMapKeySelector, filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Finding } from '../../source.ts'
import { validateWatchPath } from '../states/watch-path.ts'
import { maskOf } from './diff.ts'
import { httpAddresses } from './name-nodes.ts'

export const specSchema = z.object({
  directory: z.string().default('').describe('The directory to watch with all that is below it, an absolute path.'),
  path: z
    .string()
    .optional()
    .describe('The one entry that is meant, by its path within the directory. Either this or `pathRegexp`.'),
  pathRegexp: z
    .string()
    .optional()
    .describe(
      'The entries that are meant: an RE2 expression that is searched for in the path within the directory; `^` and `$` anchor it.',
    ),
  type: z
    .string()
    .default('')
    .describe(
      'Kinds of events, joined by `|`: `CREATE`, `WRITE`, `REMOVE`, `RENAME`, `CHMOD`. An event with one of them is published.',
    ),
  checkInterval: z
    .string()
    .default('1m')
    .describe('Time between two looks at the tree, a Go duration such as `10s`; at least 100ms.'),
  addresses: z
    .array(z.string())
    .default([])
    .describe(
      'The name nodes, `host:port`, as for Hadoop clients. They are asked over WebHDFS: at `http://host:9870`, unless `webhdfsAddresses` says otherwise.',
    ),
  webhdfsAddresses: z
    .array(z.string())
    .default([])
    .describe(
      'Where WebHDFS (or HttpFS) is served, when it is not at port 9870 of `addresses`: URLs such as `https://namenode:9871`. Not in Argo Events.',
    ),
  tls: tlsSchema.optional().describe('TLS to `https` addresses of `webhdfsAddresses`. Not in Argo Events.'),
  hdfsUser: z.string().default('').describe('The user to ask as (simple authentication).'),
  delegationTokenSecret: secretKeySelector
    .optional()
    .describe(
      'A delegation token to ask with instead of `hdfsUser`, as `GETDELEGATIONTOKEN` gives it. Read anew whenever it is refused. Not in Argo Events.',
    ),
  krbCCacheSecret: secretKeySelector.optional().describe('Kerberos: not in this version.'),
  krbKeytabSecret: secretKeySelector.optional().describe('Kerberos: not in this version.'),
  krbUsername: z.string().default('').describe('Kerberos: not in this version.'),
  krbRealm: z.string().default('').describe('Kerberos: not in this version.'),
  krbConfigConfigMap: configMapKeySelector.optional().describe('Kerberos: not in this version.'),
  krbServicePrincipalName: z.string().default('').describe('Kerberos: not in this version.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type HdfsSpec = z.output<typeof specSchema>

/** Below it there is no rest between two looks. */
export const SHORTEST_INTERVAL_MS = 100

export function validateSpec(spec: HdfsSpec): Finding[] {
  const findings = upstreamRules(spec)
  return findings.some(({ severity }) => severity === 'error') ? findings : [...findings, ...cannotWork(spec)]
}

/** In upstream's order and words. */
function upstreamRules(spec: HdfsSpec): Finding[] {
  const findings: Finding[] = []
  const error = (field: keyof HdfsSpec, message: string, remedy: string) =>
    findings.push({ severity: 'error', path: [field], message, remedy })
  if (spec.type === '') error('type', 'type is required', 'write CREATE, WRITE, REMOVE, RENAME or CHMOD')
  else if (maskOf(spec.type) === 0) error('type', 'type is invalid', 'write e.g. CREATE|WRITE, in capitals')
  if (intervalOf(spec) instanceof Error)
    error('checkInterval', 'failed to parse interval', 'a Go duration with a unit, e.g. 10s or 1m')
  findings.push(...validateWatchPath(spec, { recursive: true }))
  if (spec.addresses.length === 0) error('addresses', 'addresses is required', 'name the name nodes, host:port')
  findings.push(...loginRules(spec))
  return findings
}

function loginRules(spec: HdfsSpec): Finding[] {
  const { hdfsUser, krbCCacheSecret, krbKeytabSecret, krbUsername, krbRealm } = spec
  const error = (field: keyof HdfsSpec, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  const service = spec.krbServicePrincipalName !== '' && spec.krbConfigConfigMap !== undefined
  if (krbKeytabSecret !== undefined) {
    if (service && krbUsername !== '' && krbRealm !== '') return []
    return error(
      'krbKeytabSecret',
      'krbServicePrincipalName, krbConfigConfigMap, krbUsername and krbRealm are required with krbKeytabSecret',
      'add them, or use hdfsUser',
    )
  }
  if (krbCCacheSecret !== undefined) {
    if (service) return []
    return error(
      'krbCCacheSecret',
      'krbServicePrincipalName and krbConfigConfigMap are required with krbCCacheSecret',
      'add them, or use hdfsUser',
    )
  }
  if (hdfsUser !== '' || spec.delegationTokenSecret !== undefined) return []
  return error('hdfsUser', 'either hdfsUser, krbCCacheSecret or krbKeytabSecret is required', 'write hdfsUser: hdfs')
}

function cannotWork(spec: HdfsSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (field: keyof HdfsSpec, message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path: [field], message, remedy })
  for (const field of ['krbKeytabSecret', 'krbCCacheSecret'] as const) {
    if (spec[field] !== undefined)
      fatal(field, 'Kerberos is not in this version', 'use delegationTokenSecret, or hdfsUser with HttpFS')
  }
  if (spec.hdfsUser.includes('&')) fatal('hdfsUser', 'name nodes take no user with "&"', 'write hdfsUser: hdfs')
  try {
    httpAddresses(spec)
  } catch (error) {
    const field = spec.webhdfsAddresses.length > 0 ? 'webhdfsAddresses' : 'addresses'
    fatal(field, messageOf(error), field === 'addresses' ? 'write host:port' : 'write http(s)://host:port')
  }
  const interval = intervalOf(spec)
  if (typeof interval === 'number' && interval < SHORTEST_INTERVAL_MS)
    fatal('checkInterval', `an interval of ${spec.checkInterval} is too short`, 'at least 100ms, e.g. 10s')
  return [...findings, ...validateTls(spec.tls)]
}

/** Milliseconds; the error when it is no duration. */
function intervalOf({ checkInterval }: HdfsSpec): number | Error {
  try {
    // Upstream's default for an empty one, too.
    return parseDurationMs(checkInterval || '1m')
  } catch (error) {
    return error as Error
  }
}

export const intervalMs = (spec: HdfsSpec): number => Math.max(SHORTEST_INTERVAL_MS, Number(intervalOf(spec)))

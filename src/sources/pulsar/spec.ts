/** The fields of a Pulsar entry, and upstream's rules for them. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema } from '../../source/tls.ts'
import type { Claim, EntryPlace, Finding } from '../../source.ts'
import { connectionBackoffSchema, validateConnectionBackoff } from '../connections/backoff.ts'
import { jsonBodySchema } from '../payload/json-body.ts'
import { keepsNothing } from '../queues/keeps-nothing.ts'
import { ATHENZ_PARAMS, missingAthenzParams } from './athenz.ts'

const text = (what: string) => z.string().default('').describe(what)
const off = (what: string) => z.boolean().default(false).describe(what)

export const specSchema = z.object({
  topics: z
    .array(z.string())
    .nullish()
    .describe('The topics: `orders`, `tenant/namespace/orders` or `persistent://tenant/namespace/orders`.'),
  url: text(
    'The brokers or a proxy: `pulsar://host:6650`, or `pulsar+ssl://host:6651` with TLS; or their REST API, `http://host:8080` or `https://host:8443`. Several hosts with commas.',
  ),
  type: text('`exclusive`, or `shared` with other consumers of the same subscription.'),
  tlsTrustCertsSecret: secretKeySelector
    .optional()
    .describe('PEM certificates of the authorities to trust, with TLS. Without it, those that the system trusts.'),
  tlsAllowInsecureConnection: off("Do not verify the server's certificate."),
  tlsValidateHostname: off("The server's certificate must be for the host of its address."),
  tls: tlsSchema
    .optional()
    .describe('Log in by `clientCertSecret` and `clientKeySecret`. The other members are not used, as in Argo Events.'),
  authTokenSecret: secretKeySelector.optional().describe('The token to log in with.'),
  authAthenzParams: z
    .record(z.string(), z.string())
    .optional()
    .describe(`Login by Athenz. Parameters: ${ATHENZ_PARAMS.map((name) => `\`${name}\``).join(', ')}.`),
  authAthenzSecret: secretKeySelector
    .optional()
    .describe('Login by Athenz: the PEM private key of the service. Wins over `authAthenzParams.privateKey`.'),
  deleteSubscriptionOnFinish: off(
    'Delete the subscription, with what it has not given out, when the entry or its EventSource is deleted, and that of a topic when the topic is taken out of `topics`; not when a replica stops. Without it, it stays and the topics keep messages for it. Not in Argo Events.',
  ),
  connectionBackoff: connectionBackoffSchema.optional(),
  jsonBody: jsonBodySchema,
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type PulsarSpec = z.output<typeof specSchema>

export function validateSpec(spec: PulsarSpec): Finding[] {
  const findings = upstreamRules(spec)
  if (findings.length > 0) return findings
  return [...cannotWork(spec), ...validateConnectionBackoff(spec.connectionBackoff)]
}

function upstreamRules({ topics, url, type }: PulsarSpec): Finding[] {
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (topics == null) return error('topics', "topics can't be empty list", 'write topics: [orders]')
  if (type !== 'exclusive' && type !== 'shared')
    return error('type', 'subscription type must be either exclusive or shared', 'write type: exclusive')
  if (url === '') return error('url', 'url must be provided', 'write url: pulsar://host:6650')
  return []
}

function cannotWork(spec: PulsarSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (path: (string | number)[], message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path, message, remedy })
  const topics = spec.topics ?? []
  if (topics.length === 0) fatal(['topics'], 'without a topic no event ever comes', 'write topics: [orders]')
  for (const [i, topic] of topics.entries()) {
    if (fullTopic(topic) === null)
      fatal(['topics', i], 'Pulsar has no topic of that name', 'write orders, or persistent://tenant/namespace/orders')
    else if (topic.startsWith('non-persistent://'))
      findings.push(keepsNothing(['topics', i], 'use a persistent:// topic'))
  }
  const service = serviceOf(spec.url)
  if (service === null) fatal(['url'], 'the URL cannot be read', 'write pulsar://host:6650')
  const { tls } = spec
  if (tls !== undefined) {
    if (tls.clientCertSecret === undefined || tls.clientKeySecret === undefined)
      fatal(['tls'], 'invalid TLS config', 'name clientCertSecret and clientKeySecret; for the CA tlsTrustCertsSecret')
    if (service?.encrypted === false)
      fatal(['tls'], 'a client certificate needs TLS', 'write url: pulsar+ssl://host:6651')
  } else if (usesAthenz(spec)) findings.push(...athenzFindings(spec))
  return findings
}

export const usesAthenz = ({ authAthenzParams, authAthenzSecret }: PulsarSpec): boolean =>
  authAthenzParams !== undefined || authAthenzSecret !== undefined

function athenzFindings({ authAthenzParams: params = {}, authAthenzSecret }: PulsarSpec): Finding[] {
  const path = ['authAthenzParams']
  const missing = missingAthenzParams(params, authAthenzSecret !== undefined)
  const urls = (['ztsUrl', 'ztsProxyUrl'] as const).filter(
    (name) => params[name] && !/^https?:\/\/\S+$/.test(params[name]),
  )
  const unknown = Object.keys(params).filter((name) => !(ATHENZ_PARAMS as readonly string[]).includes(name))
  return [
    ...missing.map((name): Finding => {
      const remedy = name === 'privateKey' ? 'name its Secret in authAthenzSecret' : `add ${name}`
      return { severity: 'warning', fatal: true, path, message: `Athenz needs ${name}`, remedy }
    }),
    ...urls.map((name): Finding => {
      const message = 'it is no URL'
      return { severity: 'warning', fatal: true, path: [...path, name], message, remedy: 'write https://host:4443' }
    }),
    ...unknown.map((name): Finding => {
      const message = 'Athenz has no such parameter'
      return { severity: 'warning', path: [...path, name], message, remedy: `write one of ${ATHENZ_PARAMS.join(', ')}` }
    }),
  ]
}

/** `persistent://tenant/namespace/name`, or null when it is no topic's name. */
export function fullTopic(topic: string): string | null {
  const [domain, rest] = topic.includes('://') ? (topic.split('://', 2) as [string, string]) : ['persistent', topic]
  if (domain !== 'persistent' && domain !== 'non-persistent') return null
  const parts = rest.split('/')
  if (parts.some((part) => part === '' || /\s/.test(part))) return null
  if (parts.length === 1 && rest === topic) return `persistent://public/default/${rest}`
  return parts.length === 3 ? `${domain}://${rest}` : null
}

export interface Service {
  encrypted: boolean
  /** Brokers are found by their REST API. */
  http: boolean
  hosts: Host[]
}

export interface Host {
  host: string
  port: number
}

/** By scheme: with TLS or without, and the port where none is named. */
const SCHEMES: Readonly<Record<string, [encrypted: boolean, http: boolean, port: number]>> = {
  pulsar: [false, false, 6650],
  'pulsar+ssl': [true, false, 6651],
  http: [false, true, 80],
  https: [true, true, 443],
}

/** The hosts of `pulsar://a:6650,b:6650`, or null when it cannot be read. */
export function serviceOf(url: string): Service | null {
  const [, scheme = '', names = ''] = /^([a-z+]+):\/\/([^/\s]+)\/?$/.exec(url) ?? []
  const kind = SCHEMES[scheme]
  if (kind === undefined) return null
  const [encrypted, http, usual] = kind
  const hosts: Host[] = []
  for (const one of names.split(',')) {
    const parts = /^(?:\[([0-9a-fA-F:]+)\]|([^:@[\]]+))(?::(\d{1,5}))?$/.exec(one)
    if (parts === null || Number(parts[3]) > 65_535) return null
    hosts.push({ host: (parts[1] ?? parts[2])!, port: Number(parts[3] ?? usual) })
  }
  return { encrypted, http, hosts }
}

/** `host:port`, as in a URL. */
export const hostPort = ({ host, port }: Host): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** One for each topic at each host. */
export function claimsOf({ url, topics, type }: PulsarSpec, { entry }: EntryPlace): Claim[] {
  const otherwise = 'the broker lets one of them in, and the other waits for ever'
  return (serviceOf(url)?.hosts ?? []).flatMap((host) =>
    (topics ?? []).map((topic) => {
      const at = hostPort(host).toLowerCase()
      return {
        at,
        name: `${fullTopic(topic) ?? topic} ${entry}`,
        what: `the subscription ${entry} to the topic ${topic} at ${at}, which has the name of the entry,`,
        ...(type === 'shared' ? {} : { otherwise }),
        remedy: 'give the entries different names',
      }
    }),
  )
}

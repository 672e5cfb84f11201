/** The fields of a resource entry, and upstream's rules for them. */
import { RE2JS } from 're2js'
import { z } from 'zod'
import { messageOf } from '../../core/errors.ts'
import type { Resource } from '../../kube/resources.ts'
import { metadataSchema } from '../../source/schemas.ts'
import type { Finding } from '../../source.ts'
import { pathOf } from './fields.ts'

const selectorSchema = (key: string, operations: string, value: string) =>
  z.object({
    key: z.string().default('').describe(key),
    operation: z.string().default('').describe(operations),
    value: z.string().default('').describe(value),
  })

export const specSchema = z.object({
  namespace: z.string().default('').describe('The namespace to watch. Default: all, or none for kinds without one.'),
  group: z.string().default('').describe('The API group, e.g. `apps`; empty for the core group.'),
  version: z.string().default('').describe('The version of the group, e.g. `v1`.'),
  resource: z.string().default('').describe('The plural name, e.g. `pods`.'),
  eventTypes: z.array(z.string()).optional().describe('What to tell: `ADD`, `UPDATE`, `DELETE`.'),
  filter: z
    .object({
      prefix: z.string().default('').describe('Only objects whose name begins with this.'),
      labels: z
        .array(
          selectorSchema(
            'The label.',
            '`=`, `==` (default), `!=`, `in`, `notin`, `exists`, `!`, `gt` or `lt`.',
            'The value; for `in` and `notin` several, separated by commas; none for `exists` and `!`.',
          ),
        )
        .optional()
        .describe('Only objects with these labels; the API server filters.'),
      fields: z
        .array(
          selectorSchema(
            "A path into the object's JSON, e.g. `metadata.name` or `status.conditions.0.type`.",
            '`=`, `==` (default) or `!=`.',
            'A regular expression (RE2), which may match anywhere in the text. Only text values can match.',
          ),
        )
        .optional()
        .describe('Only objects whose fields match all of these.'),
      createdBy: z.string().optional().describe('Only objects created at or before this time (RFC 3339).'),
      afterStart: z
        .boolean()
        .default(false)
        .describe('Only what happens after the entry began to serve for the first time; not what is there already.'),
    })
    .optional()
    .describe('Which objects; all of it must hold.'),
  metadata: metadataSchema.optional(),
})
export type ResourceSpec = z.output<typeof specSchema>
export type EventType = 'ADD' | 'UPDATE' | 'DELETE'
const EVENT_TYPES: readonly string[] = ['ADD', 'UPDATE', 'DELETE']

export function validateSpec(spec: ResourceSpec): Finding[] {
  const findings = upstreamRules(spec)
  return findings.length > 0 ? findings : cannotWork(spec)
}

function upstreamRules({ version, resource, eventTypes, filter }: ResourceSpec): Finding[] {
  const error = (path: (string | number)[], message: string, remedy: string): Finding[] => [
    { severity: 'error', path, message, remedy },
  ]
  if (version === '') return error(['version'], 'version must be specified', 'write e.g. v1')
  if (resource === '') return error(['resource'], 'resource must be specified', 'write the plural name, e.g. pods')
  if (eventTypes === undefined)
    return error(['eventTypes'], 'event types must be specified', 'list ADD, UPDATE and DELETE, or some of them')
  const empty = filter?.labels?.findIndex(({ key }) => key === '') ?? -1
  if (empty !== -1)
    return error(['filter', 'labels', empty, 'key'], "key can't be empty for selector", 'name the label')
  return []
}

function cannotWork({ eventTypes = [], filter }: ResourceSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (path: (string | number)[], message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path, message, remedy })
  for (const [i, type] of eventTypes.entries())
    if (!EVENT_TYPES.includes(type))
      fatal(['eventTypes', i], `unknown event type: ${type}`, 'write ADD, UPDATE or DELETE')
  if (eventTypes.length === 0) fatal(['eventTypes'], 'no event type is listed, so nothing is told', 'write ADD')
  for (const [i, one] of (filter?.labels ?? []).entries()) {
    const why = whyNoSelector(one)
    if (why !== null)
      fatal(
        ['filter', 'labels', i],
        why,
        'see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels',
      )
  }
  for (const [i, { key, operation, value }] of (filter?.fields ?? []).entries()) {
    const path = ['filter', 'fields', i]
    if (!['', '=', '==', '!='].includes(operation))
      fatal([...path, 'operation'], `there is no operation ${operation}`, 'write =, == or !=')
    if (pathOf(key) === null)
      fatal([...path, 'key'], 'this path is not supported', 'write names and numbers with dots between them')
    try {
      RE2JS.compile(value)
    } catch (error) {
      fatal([...path, 'value'], `the regular expression does not compile: ${messageOf(error)}`, 'use the syntax of RE2')
    }
  }
  if (filter?.createdBy !== undefined && Number.isNaN(Date.parse(filter.createdBy)))
    fatal(['filter', 'createdBy'], 'this is no time', 'write e.g. 2026-11-24T10:00:00Z')
  return findings
}

/** What to watch. Where no namespace is given the path has none: all namespaces, or a kind without. */
export const resourceOf = ({ group, version, resource, namespace }: ResourceSpec): Resource => ({
  group,
  version,
  plural: resource,
  kind: '',
  namespaced: namespace !== '',
})

type Selector = { key: string; operation: string; value: string }

/** Text of a label selector, as the API takes it. */
export const labelSelector = ({ filter }: ResourceSpec): string => (filter?.labels ?? []).map(requirement).join(',')

function requirement({ key, operation, value }: Selector): string {
  switch (operation) {
    case 'in':
    case 'notin':
      return `${key} ${operation} (${value})`
    case 'exists':
      return key
    case '!':
      return `!${key}`
    case 'gt':
      return `${key}>${value}`
    case 'lt':
      return `${key}<${value}`
    default:
      return `${key}${operation === '' ? '==' : operation}${value}`
  }
}

function whyNoSelector({ key, operation, value }: Selector): string | null {
  if (!['', '=', '==', '!=', 'in', 'notin', 'exists', '!', 'gt', 'lt'].includes(operation))
    return `there is no operation ${operation}`
  if (!/^([a-z0-9.-]+\/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(key)) return `${key} is no name of a label`
  if (operation === 'exists' || operation === '!') return value === '' ? null : 'this operation takes no value'
  if (operation === 'gt' || operation === 'lt')
    return /^-?\d+$/.test(value) ? null : 'this operation takes a whole number'
  const values = operation === 'in' || operation === 'notin' ? value.split(',') : [value]
  const wrong = values.find((one) => !/^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$/.test(one.trim()))
  return wrong === undefined ? null : `${wrong} is no value of a label`
}

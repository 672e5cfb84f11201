/**
 * Our fields → the structural schemas of a CRD (Kubernetes' OpenAPI v3 subset). As lenient as upstream's CRDs but for wrong JSON types: nothing is
 * required, nothing is pruned, null is absent; rules are the admission webhook's.
 */
import type { Field } from '../../manifest/fields.ts'

type Schema = Record<string, unknown>

const OPEN = { 'x-kubernetes-preserve-unknown-fields': true }

export function structural(field: Field): Schema {
  const description = field.description === '' ? {} : { description: field.description }
  switch (field.kind) {
    case 'object':
      return object(field.fields ?? {}, field.description)
    case 'list':
      return { ...description, type: 'array', nullable: true, items: structural(field.item!) }
    case 'map':
      return { ...description, type: 'object', nullable: true, additionalProperties: structural(field.item!) }
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { ...description, type: field.kind, nullable: true }
    case 'choice':
      // The words are in the rules; a new one of upstream's must get in.
      return field.type.includes('"') ? { ...description, type: 'string', nullable: true } : { ...description, ...OPEN }
    default:
      return { ...description, ...OPEN }
  }
}

/** An object with known members, open for others. */
export function object(fields: Record<string, Field>, description: string, more: Record<string, Schema> = {}): Schema {
  const known = Object.entries(fields).map(([name, field]) => [name, structural(field)] as const)
  const properties = Object.fromEntries([...known, ...Object.entries(more)])
  return {
    ...(description === '' ? {} : { description }),
    type: 'object',
    nullable: true,
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...OPEN,
  }
}

/** The fields of a Pub/Sub entry, upstream's rules for them, and the name of a subscription that has none. */
import { z } from 'zod'
import { fnv32a } from '../../core/fnv.ts'
import { goJson, sortedMap } from '../../core/json.ts'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import type { Claim, EntryPlace, Finding } from '../../source.ts'
import { jsonBodySchema } from '../payload/json-body.ts'

export const specSchema = z.object({
  projectID: z
    .string()
    .default('')
    .describe("The project of the subscription. Default: the credentials', or that of the machine it runs on."),
  topicProjectID: z.string().default('').describe('The project of the topic, where it is another one.'),
  topic: z
    .string()
    .default('')
    .describe('The topic. Needed to make the subscription; one that is there must belong to it.'),
  subscriptionID: z
    .string()
    .default('')
    .describe("The subscription. Default: one of the entry's own, named after the entry and its fields."),
  credentialSecret: secretKeySelector
    .optional()
    .describe(
      "JSON of a service account's key, or of a workload identity federation. Default: the application default credentials.",
    ),
  deleteSubscriptionOnFinish: z
    .boolean()
    .default(false)
    .describe('Delete the subscription when the entry or its EventSource is deleted; not when a replica stops.'),
  jsonBody: jsonBodySchema,
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type PubSubSpec = z.output<typeof specSchema>

export function validateSpec({ topic, topicProjectID, subscriptionID }: PubSubSpec): Finding[] {
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (topic === '' && subscriptionID === '')
    return error('topic', 'must specify topic or subscriptionID', 'name the topic, or a subscription that is there')
  if (topic === '' && topicProjectID !== '')
    return error('topicProjectID', "you can't specify topicProjectID if you don't specify topic", 'name the topic')
  return []
}

/** The resources that an entry means, `projects/<project>/…`. */
export interface Names {
  project: string
  subscription: string
  /** Null: the subscription must be there. */
  topic: string | null
}

/** @param project where the entry says none */
export function namesOf(entry: string, spec: PubSubSpec, project: string): Names {
  const projectID = spec.projectID || project
  const topicProjectID = spec.topicProjectID || (spec.topic === '' ? '' : projectID)
  const id = spec.subscriptionID || `${entry}-${hashOf(entry, { ...spec, projectID, topicProjectID })}`
  return {
    project: projectID,
    subscription: `projects/${projectID}/subscriptions/${id}`,
    topic: spec.topic === '' ? null : `projects/${topicProjectID}/topics/${spec.topic}`,
  }
}

/** Upstream's number for a subscription without a name: of the entry's name and its fields as Go writes them. */
function hashOf(entry: string, spec: PubSubSpec): number {
  const { projectID, topicProjectID, topic, subscriptionID, credentialSecret, filter, metadata } = spec
  const absent = <T>(value: T, when: boolean) => (when ? undefined : value)
  const json = goJson({
    projectID,
    topicProjectID,
    topic,
    subscriptionID,
    credentialSecret: credentialSecret && {
      name: absent(credentialSecret.name, credentialSecret.name === ''),
      key: credentialSecret.key,
      optional: credentialSecret.optional,
    },
    deleteSubscriptionOnFinish: absent(true, !spec.deleteSubscriptionOnFinish),
    jsonBody: absent(true, !spec.jsonBody),
    metadata: metadata && absent(sortedMap(metadata), Object.keys(metadata).length === 0),
    // Only what Argo Events has: the name of the subscription stays its own.
    filter: filter && { expression: absent(filter.expression, filter.expression === '') },
  })
  return fnv32a(Buffer.from(entry + json))
}

export function claimsOf(spec: PubSubSpec, { entry }: EntryPlace): Claim[] {
  const { project, subscription } = namesOf(entry, spec, '')
  const remedy = 'give each entry a subscription of its own'
  return [{ at: project, name: subscription, what: `the subscription ${subscription}`, remedy }]
}

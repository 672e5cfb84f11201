/** Schemas of fields that many source types have, with upstream's names and decoding. */
import { z } from 'zod'

/** `filter`: the runtime evaluates it; a source only lists it in its schema. */
export const filterSchema = z
  .object({
    expression: z
      .string()
      .default('')
      .describe(
        'Boolean expression over the event\'s data, e.g. `body.action == "opened"`. False: the event is dropped and its origin is acknowledged.',
      ),
    onError: z
      .enum(['drop', 'publish'])
      .default('drop')
      .describe(
        'What happens to an event on which the expression fails: `drop` (as Argo Events does; counted and shown in status) or `publish`.',
      ),
  })
  .describe('Only events for which the expression is true are published.')

/** `metadata`: goes into the payload as it stands, keys sorted. */
export const metadataSchema = z
  .record(z.string(), z.string())
  .describe('Static text values that are put into the payload of every event under `metadata`, as they stand.')

/** A Kubernetes SecretKeySelector. Missing members decode to empty text, as in Go; `validate` says what cannot work. */
export const secretKeySelector = z
  .object({
    name: z.string().default('').describe('Name of the Secret, in the namespace of the EventSource.'),
    key: z.string().default('').describe("The Secret's key whose value is used."),
    optional: z
      .boolean()
      .optional()
      .describe('Accepted for compatibility; ignored, as in Argo Events: a missing Secret is an error.'),
  })
  .describe('A key of a Secret.')

/** A Kubernetes ConfigMapKeySelector. */
export const configMapKeySelector = z
  .object({
    name: z.string().default('').describe('Name of the ConfigMap, in the namespace of the EventSource.'),
    key: z.string().default('').describe("The ConfigMap's key whose value is used."),
    optional: z.boolean().optional().describe('Accepted for compatibility; ignored, as in Argo Events.'),
  })
  .describe('A key of a ConfigMap.')
  .meta({ title: 'ConfigMapKeySelector' })

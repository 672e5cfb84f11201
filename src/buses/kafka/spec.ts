/** The fields of the kind `kafka`. */
import { z } from 'zod'
import type { BusPlace } from '../definition.ts'
import { selector, text, tls } from '../schemas.ts'

export const spec = z.object({
  url: text('Some brokers, with commas; the others are learnt from the first that answers.'),
  topic: text(
    "Where events go; left out: `<namespace>-<eventbus>`. Made when it is missing, with one partition and the cluster's default of copies.",
  ),
  version: text('Has no effect here: versions are agreed with the broker.'),
  tls: tls.describe('Left out: the connection is plain.'),
  sasl: z
    .object({
      mechanism: text(
        '`PLAIN` (left out), `SCRAM-SHA-256`, `SCRAM-SHA-512`. Others are warned of by `validate` and refused by `run`.',
      ),
      userSecret: selector('The user.'),
      passwordSecret: selector('The password.'),
    })
    .optional()
    .describe('The login.'),
  consumerGroup: z
    .object({
      groupName: text('The name of the group.'),
      oldest: z.boolean().optional().describe('Where a new group begins.'),
      rebalanceStrategy: text('How partitions are given out.'),
    })
    .optional()
    .describe("Has no effect here: consumer groups are the Sensors'."),
  partitioner: text(
    '`hash` (by `<eventsource>.<event>`), `roundrobin`, `manual` (partition 0), else random, as Argo Events has it.',
  ),
})
export type KafkaBusSpec = z.output<typeof spec>

/** Where events go. */
export const topicOf = ({ topic }: KafkaBusSpec, { namespace, name }: BusPlace): string =>
  topic || `${namespace}-${name}`

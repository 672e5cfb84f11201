/** The kind `kafka`: a topic of a Kafka that somebody else runs. It has no lock: the replicas elect by another store. */
import { z } from 'zod'
import { SASL_MECHANISMS } from '../clients/kafka.ts'
import { quote } from '../core/quote.ts'
import type { Finding } from '../source.ts'
import { defineBus } from './definition.ts'
import { selector, text, tls } from './schemas.ts'

const spec = z.object({
  url: text('Some brokers, with commas; the others are learnt from the first that answers.'),
  topic: text(
    "Where events go; left out: `<namespace>-<eventbus>`. Made when it is missing, with one partition and the cluster's default of copies.",
  ),
  version: text('Has no effect here: versions are agreed with the broker.'),
  tls: tls.describe('Left out: the connection is plain.'),
  sasl: z
    .object({
      mechanism: text('`PLAIN` (left out), `SCRAM-SHA-256`, `SCRAM-SHA-512`. Others are warned of by `validate` and refused by `run`.'),
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

const PARTITIONERS = ['hash', 'roundrobin', 'manual', 'random']

function validate({ url, partitioner, sasl }: KafkaBusSpec): Finding[] {
  const found: Finding[] = []
  const warn = (path: string[], message: string, remedy: string) =>
    found.push({ severity: 'warning', path, message, remedy })
  if (!url) {
    const message = '"spec.kafka.url" is missing'
    found.push({ severity: 'error', path: ['url'], message, remedy: 'write the brokers, e.g. kafka:9092' })
  }
  if (partitioner && !PARTITIONERS.includes(partitioner)) {
    warn(['partitioner'], `${quote(partitioner)} acts as random`, 'write hash, roundrobin or manual')
  }
  const { mechanism, userSecret, passwordSecret } = sasl ?? {}
  if (mechanism && !SASL_MECHANISMS.some((one) => one === mechanism)) {
    const message = `${quote(mechanism)} is not served, so no event reaches this bus`
    warn(['sasl', 'mechanism'], message, `write ${SASL_MECHANISMS.join(', ')}`)
  }
  if (sasl !== undefined && (userSecret === undefined || passwordSecret === undefined)) {
    warn(['sasl'], 'it needs userSecret and passwordSecret', 'name the Secrets and their keys')
  }
  return found
}

export default defineBus({
  kind: 'kafka',
  title: 'Kafka',
  summary: 'The Kafka at its `url`.',
  spec,
  examples: [],
  validate,
  anyName: true,
  elects: false,
  async open(spec, options) {
    const { openKafkaBus } = await import('./kafka/open.ts')
    return { bus: openKafkaBus(spec, options), electionFor: null }
  },
  rendered: { what: 'address' },
})

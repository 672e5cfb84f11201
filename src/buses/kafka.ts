/** The kind `kafka`: a topic of a Kafka that somebody else runs. It has no lock: the replicas elect by another store. */
import { SASL_MECHANISMS } from '../clients/kafka.ts'
import { quote } from '../core/quote.ts'
import type { Finding } from '../source.ts'
import { defineBus } from './definition.ts'
import { examples } from './kafka/examples.ts'
import { type KafkaBusSpec, spec, topicOf } from './kafka/spec.ts'

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
  examples,
  validate,
  anyName: true,
  elects: false,
  async open(spec, options) {
    const { openKafkaBus } = await import('./kafka/open.ts')
    return { bus: openKafkaBus(spec, options), electionFor: null }
  },
  rendered: {
    what: 'address',
    told: (spec, place) => ({ ...spec, topic: topicOf(spec, place) }),
    exchanged: (spec, place) =>
      `Kafka: the object and its topic stay as they are; the topic ${topicOf(spec, place)}-vedette is made beside it and stays on the way back`,
  },
})

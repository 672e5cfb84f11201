/**
 * What a principal of a Kafka bus needs who serves one EventSource: its two topics, and the transactional ids that nobody else may take the epoch of. Found
 * by running under a principal with exactly these (test/security/kafka-acls.test.ts).
 */
import { type SourceRef, sourceKey } from '../bus/bus.ts'
import { transactionalIdOf } from '../bus/kafka/fence.ts'
import { kvTransactionalId } from '../bus/kafka/kv.ts'
import { stateTopicOf } from '../bus/kafka/state.ts'
import type { BusUse } from './natsPermissions.ts'
import { keysOf } from './registrar/records.ts'

/** To be allowed of one resource, whose name is literal. */
export interface KafkaAcl {
  resource: 'topic' | 'transactional-id'
  name: string
  /** Each includes `Describe`. */
  operations: ('Read' | 'Write')[]
}

/** @param topic of the events. */
export function kafkaAcls(source: SourceRef, uses: readonly BusUse[], topic: string): KafkaAcl[] {
  const state = stateTopicOf(topic)
  const ids = [
    ...(uses.some(({ fenced }) => fenced) ? [transactionalIdOf(state, source)] : []),
    ...uses.flatMap(({ name, hooks }) =>
      hooks ? Object.values(keysOf(source, name)).map((key) => kvTransactionalId(state, key)) : [],
    ),
  ]
  return [
    ...[topic, state].map((name): KafkaAcl => ({ resource: 'topic', name, operations: ['Read', 'Write'] })),
    ...ids.map((name): KafkaAcl => ({ resource: 'transactional-id', name, operations: ['Write'] })),
  ]
}

/** As commands for a shell; the brokers are to be put in. */
export function kafkaAclsText(source: SourceRef, acls: readonly KafkaAcl[]): string {
  const principal = quoted(`User:${sourceKey(source)}`)
  return acls
    .map(({ resource, name, operations }) => {
      const allowed = operations.map((one) => `--operation ${one}`).join(' ')
      return `kafka-acls.sh --bootstrap-server "$BROKERS" --add --allow-principal ${principal} ${allowed} --${resource} ${quoted(name)}`
    })
    .join('\n')
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** The kind `nats`: NATS Streaming, which has come to its end and is read only to be refused. */
import { z } from 'zod'
import { quote } from '../core/quote.ts'
import type { Finding } from '../source.ts'
import { defineBus } from './definition.ts'
import { count, pods, selector, text, whole } from './schemas.ts'

const spec = z.object({
  native: z
    .object({
      ...pods,
      replicas: whole('How many servers.'),
      auth: text('`none` or `token`.'),
      maxAge: text('How long messages are kept.'),
      maxMsgs: count('How many messages a channel keeps.'),
      maxBytes: text('How much a channel keeps.'),
      maxSubs: count('How many subscriptions a channel has.'),
      raftHeartbeatTimeout: text('Of the group of servers.'),
      raftElectionTimeout: text('Of the group of servers.'),
      raftLeaseTimeout: text('Of the group of servers.'),
      raftCommitTimeout: text('Of the group of servers.'),
    })
    .optional()
    .describe('Servers that Argo Events made.'),
  exotic: z
    .object({
      url: text('The address.'),
      clusterID: text('The name of the cluster.'),
      auth: text('`none` or `token`.'),
      accessSecret: selector('The login.'),
    })
    .optional()
    .describe('Servers of somebody else.'),
})
export type NatsStreamingSpec = z.output<typeof spec>

function validate({ native, exotic }: NatsStreamingSpec): Finding[] {
  const found: Finding[] = []
  const error = (path: string[], message: string, remedy?: string) =>
    found.push({ severity: 'error', path, message, ...(remedy === undefined ? {} : { remedy }) })
  const warn = (path: string[], message: string, remedy: string) =>
    found.push({ severity: 'warning', path, message, remedy })
  if (native !== undefined && exotic !== undefined) {
    error([], '"spec.nats.native" and "spec.nats.exotic" can not be defined together', 'keep one of them')
  }
  if (native === undefined && exotic === undefined) {
    error([], 'either "native" or "exotic" must be defined', 'write native: {}')
  }
  if (native?.auth && native.auth !== 'none' && native.auth !== 'token') {
    warn(['native', 'auth'], `${quote(native.auth)} is not supported`, 'write none or token')
  }
  if (exotic === undefined) return found
  if (!exotic.clusterID) error(['exotic', 'clusterID'], '"spec.nats.exotic.clusterID" is missing')
  if (!exotic.url) error(['exotic', 'url'], '"spec.nats.exotic.url" is missing')
  warn(['exotic'], 'NATS Streaming is at its end of life and not supported', 'use jetstreamExotic')
  return found
}

export default defineBus({
  kind: 'nats',
  title: 'NATS Streaming',
  summary: 'Not supported.',
  spec,
  examples: [],
  validate,
  mounted: ({ accessSecret }) => ({ access: accessSecret }),
  forbidden(before, after) {
    const found: string[] = []
    const { native, exotic } = before ?? {}
    if (after.native && !native) found.push('Can not change NATS event bus implementation from exotic to native')
    if (after.exotic && !exotic) found.push('Can not change NATS event bus implementation from native to exotic')
    return found
  },
  rendered: {
    what: 'nothing',
    why: 'at its end of life and not supported',
    instead: 'use an EventBus of kind jetstream',
    reason: 'NatsStreamingNotSupported',
    message:
      'NATS Streaming is at its end of life and not supported: make an EventBus with jetstream, see docs/migrate.md. What is deployed is left alone.',
    kept: {
      reason: 'nats-streaming',
      remedy: 'move them to a JetStream bus first, see "From NATS Streaming" in docs/migrate.md',
    },
  },
})

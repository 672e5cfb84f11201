/** The kind `jetstream`: NATS servers that the controller makes in the cluster. How: `controller/eventBus/`. */
import { z } from 'zod'
import type { Finding } from '../source.ts'
import { defineBus } from './definition.ts'
import { containerTemplate, pods, text, whole } from './schemas.ts'

const spec = z.object({
  ...pods,
  version: text('The NATS version: a number of those that the controller is configured with, or `latest`.'),
  replicas: whole('How many servers: 1, or 3 and more; left out: 3.'),
  reloaderContainerTemplate: containerTemplate('reloader'),
  settings: text("Settings of JetStream in the servers' configuration, instead of the controller's."),
  startArgs: z.array(z.string()).optional().describe('More arguments of nats-server.'),
  streamConfig: text(
    'YAML over the settings of the stream that the controller is configured with. It counts when the stream is made.',
  ),
})
export type JetstreamSpec = z.output<typeof spec>

function validate({ version, replicas }: JetstreamSpec): Finding[] {
  const found: Finding[] = []
  if (!version) {
    const message = 'invalid spec: a version for jetstream needs to be specified'
    found.push({ severity: 'error', path: ['version'], message })
  }
  if (replicas !== undefined && (replicas === 2 || replicas <= 0)) {
    const message = 'invalid spec: a jetstream eventbus requires 1 replica or >= 3 replicas'
    found.push({ severity: 'error', path: ['replicas'], message, remedy: 'write 1, 3 or 5' })
  }
  return found
}

export default defineBus({
  kind: 'jetstream',
  title: 'A native bus: `jetstream`',
  summary: 'NATS JetStream whose servers the controller makes in the cluster.',
  spec,
  examples: [],
  validate,
  config: 'jetstream',
  forbidden(before, after) {
    const [old, now] = [before?.streamConfig ?? '', after.streamConfig ?? '']
    if (old === now) return []
    const immutable = '"spec.jetstream.streamConfig" is immutable, can not be updated'
    return [old === '' || now === '' ? immutable : `${immutable}, old value='${old}', new value='${now}'`]
  },
  rendered: { what: 'servers' },
})

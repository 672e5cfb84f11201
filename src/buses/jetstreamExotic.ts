/** The kind `jetstreamExotic`: NATS servers with JetStream that somebody else runs. */
import { z } from 'zod'
import type { Finding } from '../source.ts'
import { defineBus } from './definition.ts'
import { examples } from './jetstreamExotic/examples.ts'
import { selector, text, tls } from './schemas.ts'

const spec = z.object({
  url: text(
    'One address or several with commas; the other servers of a cluster are learnt from the first. `user:password@` or `token@` in it is used, wins over `accessSecret`, and is never logged.',
  ),
  accessSecret: selector(
    'YAML with `username` and `password`, YAML with `token`, or just the token. Read anew at each connect: rotation needs no restart.',
  ),
  streamConfig: text(
    'YAML, used only when the stream has to be made: `maxmsgs`, `maxbytes`, `maxage`, `duplicates`, `replicas`, `retention`, `discard`.',
  ),
  tls: tls.describe(
    'With it, or a `tls://` address, an unencrypted server is refused. Without it TLS is used when the server offers it, but its certificate is not verified: name a CA to have that. Files are read anew at each connect: a renewed certificate or CA needs no restart.',
  ),
})
export type JetstreamExoticSpec = z.output<typeof spec>

function validate({ url }: JetstreamExoticSpec): Finding[] {
  if (url) return []
  const message = '"spec.jetstreamExotic.url" is missing'
  return [{ severity: 'error', path: ['url'], message, remedy: 'write e.g. nats://nats:4222' }]
}

/** Go leaves out what is empty. */
function withoutEmpty(spec: JetstreamExoticSpec): object {
  const full = Object.entries(spec).filter(([, member]) => {
    if (member === undefined || member === '') return false
    return typeof member !== 'object' || Object.keys(member).length > 0
  })
  return Object.fromEntries(full)
}

export default defineBus({
  kind: 'jetstreamExotic',
  title: 'NATS JetStream',
  summary: 'The NATS JetStream at its `url`.',
  spec,
  examples,
  validate,
  config: 'jetstream',
  elects: true,
  async open(spec, options) {
    const { openJetstreamExotic } = await import('./jetstreamExotic/open.ts')
    return openJetstreamExotic(spec, options)
  },
  mounted: ({ accessSecret, tls }) => ({ access: accessSecret, keys: tls }),
  forbidden: () => [],
  rendered: {
    what: 'address',
    told: withoutEmpty,
    exchanged: () =>
      'NATS JetStream of your own: nothing changes; its stream is used as it is. Where its servers are older than 2.12 writes are fenced by the lease alone',
  },
})

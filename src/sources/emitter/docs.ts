/** The prose and the examples of the Emitter page. */
import type { Example } from '../../source.ts'
import { hotStandbyDocs, hotStandbyFailures } from '../shared/hot-standby-docs.ts'

export const docs = `
A broker of [emitter.io](https://github.com/emitter-io/emitter) gives a message to whoever is subscribed (QoS 0). ${hotStandbyDocs}

A channel that begins with \`$share/<group>/\` is shared: each message goes to one of the group. The serving replica alone is then subscribed (at most once): a standby would take messages away. Where the group has no other members, leave it out.

The key stands in the object as it is, because Argo Events has it so: whoever may read the object may read the channel. Vedette shows it nowhere.

## What stays at the origin

Nothing: a subscription goes with its connection.

## When something fails

| what happens | messages |
|---|---|
${hotStandbyFailures}
| the broker is restarted | subscribed again with growing pauses, for ever; what is sent before that is lost: what the broker stores (\`ttl\`) is not asked for, by Argo Events neither |
| the connection is silent | a ping (each 10 s) without an answer ends it, and it is made again |
| host, TLS, user, password or key are wrong | status says which, and since when; Secrets are read anew at each attempt |
| \`jsonBody\`, and a message is no JSON; or its event is larger than the bus takes | counted as skipped, logged and shown; there is no place where it is kept |

## What differs from Argo Events

- After a lost connection the channel is subscribed again. There it is not, and the source stays silent.
- Nothing is lost or doubled at a failover.
- A connection is closed when the source stops. There it stays open.
`.trim()

export const examples: Example[] = [
  {
    name: 'emitter',
    title: 'A channel of an Emitter broker, with two hot standbys; put the key of your channel in',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: emitter
spec:
  replicas: 3
  emitter:
    orders:
      broker: tcp://localhost:8080
      channelName: orders
      channelKey: key-of-the-channel
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]

/** The prose and the examples of the NATS page. */
import type { Example } from '../../source.ts'
import { hotStandbyDocs, hotStandbyFailures } from '../shared/hot-standby-docs.ts'

export const docs = `
Core NATS forgets a message when it has given it to whoever is subscribed. ${hotStandbyDocs}

A message with the header \`Nats-Msg-Id\` is stored once within the bus's window, however often its sender repeats it.

With \`queue\` only the serving replica is in the queue group, since each member takes messages away from the others: what comes before the next replica serves goes to other members, or is lost.
Where the group has no other members, leave \`queue\` out: one replica publishes in any case.

## What stays at the origin

Nothing: core NATS keeps nothing for anybody. Entries that are in one \`queue\` for subjects that meet take from each other: \`validate\` warns.

## When something fails

| what happens | messages |
|---|---|
${hotStandbyFailures}
| the NATS server is restarted | subscribed again with growing pauses, for ever; what is sent before that is lost |
| the connection is silent | two missed pings (2 s each) end it, and it is made again |
| host, TLS, credentials or permissions are wrong | status says which, and since when; secrets are read anew at each attempt |
| \`jsonBody\`, and a message is no JSON; or its event is larger than the bus takes | counted as skipped, logged and shown; there is no place where it is kept |

## What differs from Argo Events

- A replica that loses its connection subscribes again, for ever. There it stops after 60 attempts, in silence.
- Nothing is lost or doubled at a failover.
- TLS is used where the server offers it, and the certificate is verified; with a server that offers a certificate of its own, set \`tls\`.
- The seed and the credentials are taken from the Secret's value, with or without an end of line.
`.trim()

export const examples: Example[] = [
  {
    name: 'nats',
    title: 'A subject of core NATS, with two hot standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: nats
spec:
  replicas: 3
  nats:
    orders:
      url: nats://localhost:4222
      subject: orders.*
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]

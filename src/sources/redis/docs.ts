/** The prose and the examples of the Redis page. */
import type { Example } from '../../source.ts'
import { hotStandbyDocs, hotStandbyFailures } from '../shared/hot-standby-docs.ts'

export const docs = `
Redis Pub/Sub forgets a message when it has given it to whoever is subscribed. ${hotStandbyDocs}

## What stays at the origin

Nothing: a subscription goes with its connection.

## When something fails

| what happens | messages |
|---|---|
${hotStandbyFailures}
| Redis is restarted | subscribed again with growing pauses, for ever; what is sent before that is lost |
| the connection is silent | a ping without an answer within 3 s ends it, and it is made again |
| host, TLS or password are wrong | status says which, and since when; secrets are read anew at each attempt |
| \`jsonBody\`, and a message is no JSON; or its event is larger than the bus takes | counted as skipped, logged and shown; there is no place where it is kept |

## What differs from Argo Events

- Nothing is lost or doubled at a failover.
- Nothing is dropped because 100 messages wait.
- An empty list of channels is warned of, and the entry is not served.
`.trim()

export const examples: Example[] = [
  {
    name: 'redis',
    title: 'A channel of Redis Pub/Sub, with two hot standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: redis
spec:
  replicas: 3
  redis:
    orders:
      hostAddress: localhost:6379
      channels:
        - orders
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]

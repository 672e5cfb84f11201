/** The prose and the examples of the NSQ page. */
import type { Example } from '../../source.ts'
import { IN_FLIGHT } from './serve.ts'

export const docs = `
nsqlookupd says which nsqds have the topic; the serving replica is connected to all of them, and asks again every 15 s and whenever a connection is lost. Each nsqd has up to
${IN_FLIGHT} messages under way, or 32 MiB. A message is finished (\`FIN\`) when the bus has it durably; while the bus is slow it is touched, so that nsqd does not give it to somebody else. NSQ has no order.

The event's id is made from the message's id, timestamp and body, which stay the same when nsqd queues a message again: stored once, however often it comes.

## What stays at the origin

| | when the entry is edited | when it, or its EventSource, is deleted |
|---|---|---|
| the channel | with another \`channel\` or \`topic\` the old one stays and fills; a run deletes it with \`deleteChannelOnFinish\` | stays and fills at every nsqd. With \`deleteChannelOnFinish: true\`: deleted, with what is in it, by the HTTP API of every nsqd that nsqlookupd knows |

Of a run, an entry that leaves the files is deleted; in Kubernetes the object is, and what is to go holds it back until a Job has done it. Entries that have one channel take from each other: \`validate\` warns.

## When something fails

| what happens | messages |
|---|---|
| the serving replica is killed or frozen | new messages go to the next one at once; those that were under way come again after 5 s at most, and are stored once |
| an nsqd is restarted | connected again with growing pauses, for ever; it keeps its messages on disk |
| nsqlookupd is away | the connections that there are go on; status says so |
| a connection is silent | three missed heartbeats (2 s each) end it, and it is made again |
| TLS, the secret, the topic's name are wrong | status says which, and since when |
| the bus takes nothing | messages are touched until it does, up to nsqd's \`--max-msg-timeout\`; then nsqd gives them again, and they are stored once |
| \`jsonBody\`, and a message is no JSON; or its event is larger than the bus takes | NSQ has no place for it: finished, counted as skipped, logged and shown with its id |
| the channel's name ends in \`#ephemeral\` | the channel goes with its last consumer: what comes before the next one serves is lost. \`validate\` warns |

## What differs from Argo Events

- Messages that fail are tried for ever. There they are dropped after five attempts.
- Up to ${IN_FLIGHT} messages under way for each nsqd, where they have one; and no pauses of up to two minutes after a failure.
- nsqlookupd is asked every 15 s instead of every 60 s, and at once when a connection is lost.
- \`deleteChannelOnFinish\` is additional.
- \`authSecret\` is additional: the secret for an nsqd with authentication.
- An address without a port, and names that NSQ does not allow, are found by \`validate\`.
`.trim()

export const examples: Example[] = [
  {
    name: 'nsq',
    title: 'A topic of NSQ, with two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: nsq
spec:
  replicas: 3
  nsq:
    orders:
      # nsqlookupd
      hostAddress: localhost:4161
      topic: orders
      channel: vedette
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]

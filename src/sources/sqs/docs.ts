/** The docs page and examples of the type `sqs`. */
import type { Example } from '../../source.ts'

export const docs = `
Takes messages from a queue by long polling, ten at a time, publishes them, and **deletes a message only when its event is
durable on the bus**. All replicas take messages from the same queue and share the work; SQS gives each message to one of them at a time.

The id of the event is made from the message's id, so that a message which SQS delivers twice is stored once.

### Credentials

| fields | credentials |
|---|---|
| \`roleARN\` | the role, assumed with the default chain |
| \`accessKey\`, \`secretKey\` (and \`sessionToken\`) | these; the Secrets are read again every 30 s, so they can be rotated |
| none | the default chain of the AWS SDK: environment, web identity (IRSA), shared files, container, instance metadata |

The credentials need \`sqs:GetQueueUrl\`, \`sqs:ReceiveMessage\`, \`sqs:DeleteMessage\` and \`sqs:ChangeMessageVisibility\` on the queue, and should have \`sqs:GetQueueAttributes\`.

### Messages that cannot become an event

| message | the queue has a redrive policy | it has none |
|---|---|---|
| its body is not JSON although \`jsonBody\` is set | shown to the queue again at once, until the policy moves it to the dead-letter queue | \`dlq: false\`: deleted. \`dlq: true\`: left; it comes again until the queue's retention removes it |
| its event is larger than the bus takes | the same | left; it comes again until the queue's retention removes it |
| filtered out, or the filter fails on it | deleted | deleted |

Each is counted as skipped once, logged once, and shown in status for ten minutes, with its message id and what became of it. Whether there is a policy is looked at every 30 s (\`sqs:GetQueueAttributes\`); where that may not be asked, \`dlq\` alone decides. In a FIFO
queue a message that is left holds up its group.

\`dlq\` makes no queue: give the queue a redrive policy. A message's receive count grows only when it was left, or when
a replica stopped or died with it. While the bus is down messages are held, not received again and again, so
an outage moves nothing into the dead-letter queue.

### What stays at the origin

The queue is yours: nothing is made there, and nothing deleted but messages. Entries that read one queue take from each other: \`validate\` warns.

### What happens when …

| what | then |
|---|---|
| a replica is killed | the messages it had come back after at most 30 s and are taken by another replica; those already stored are recognised by their id and only deleted |
| a replica stops (SIGTERM) | it finishes what it has, deletes it, and shows the rest to the other replicas at once |
| the bus is away or slow | nothing more is received; what was received is held and kept hidden (its visibility is extended), and goes on within a second of the bus's return |
| SQS cannot be reached, or refuses | tried again for ever with growing pauses; status shows why |
| a stored message cannot be deleted | deleting is tried again for ever; delivered meanwhile, it is recognised by its id |
| a message of a FIFO queue has to wait | the later ones of its group wait for it; other groups go on |
| SQS delivers a message again after the bus's window of ids (24 h embedded, 5 min on JetStream as Argo Events sets it up) | it is stored twice. It takes a queue that accepts no deletes for so long |

### What differs from Argo Events

- Event ids are derived from the message id (upstream: random, so that each repeat is another event).
- Messages are published in parallel, up to 1,000 or 64 MiB at a time per replica, and deleted ten at a time (upstream: one after the other).
- Messages are hidden for 30 s and kept hidden while they are held (upstream: 120 s, never extended, so that a slow bus doubles them).
- The order within a group of a FIFO queue holds also when the bus does not take a message.
- What is not JSON goes to the dead-letter queue wherever there is one. There it is deleted unless \`dlq\` is set.
- Rotated keys are used without an error first.
`.trim()

export const examples: Example[] = [
  {
    name: 'sqs',
    title: 'JSON messages of an SQS queue, poison left to its dead-letter queue',
    yaml: `# Needs a queue "orders". To try it without AWS, run LocalStack or ElasticMQ and set endpoint to its URL.
apiVersion: v1
kind: Secret
metadata:
  name: aws
stringData:
  accesskey: change-me
  secretkey: change-me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: queues
spec:
  replicas: 3
  sqs:
    orders:
      region: us-east-1
      queue: orders
      # Left out: the default chain (IRSA, instance profile, ...).
      accessKey:
        name: aws
        key: accesskey
      secretKey:
        name: aws
        key: secretkey
      # endpoint: http://localhost:4566
      waitTimeSeconds: 20
      jsonBody: true
      dlq: true
`,
  },
]

/** The prose and the examples of the AMQP page. */
import type { Example } from '../../source.ts'
import { PREFETCH } from './declare.ts'

export const docs = `
Exchange, queue and binding are declared at each connection, then the queue is consumed. Up to ${PREFETCH} messages are on their way to the bus at a time, in the
broker's order; they are acknowledged in that order, and only when the bus has them durably.

## Which queue

| \`queueDeclare\` | who consumes | guarantee |
|---|---|---|
| a name, neither \`exclusive\` nor \`autoDelete\` (make it \`durable\`) | the serving replica; the others are connected and wait | exactly once onto the bus for messages with a \`message-id\`, at least once for others |
| absent, or without a name | every replica, each from a queue of its own | hot standby |
| a name, and it is a stream (\`x-queue-type: stream\`, or there already) | the serving replica, from the next offset | exactly once onto the bus |
| without a name, and an exchange that gives each message to one of its queues (\`x-consistent-hash\`, \`x-random\`…) | the serving replica: the queues of standbys would take messages away | at most once. \`validate\` warns |
| a name and \`exclusive\` or \`autoDelete\` | the serving replica | the queue goes with it: what comes before the next one serves is lost. \`validate\` warns |

\`validate\` says of each queue that may forget what comes while nobody serves: without a name, not durable, with \`x-expires\`.

A \`message-id\` counts together with the exchange, the routing key, the body, \`app-id\`, \`user-id\`, \`type\`, and the source, type and subject of a CloudEvent: used again for another message, or by another sender, it is
another event. Other properties and headers may change from attempt to attempt.

## Streams

A stream keeps its messages; what is published is not removed. Where the entry stands is the next offset, which lies on the bus in the same write as the events, so a stream is read on
exactly there, after a change of leader and after a stop. Ids are made from the queue's name and the offset.

- A new entry begins with what comes (\`next\`). \`consume.arguments: "x-stream-offset: first"\` (or \`last\`, an offset, a time, an age such as \`7D\`) begins elsewhere; it counts at the very first start only.
- Where that is, is kept before anything is read: what comes between the first start and the first event is not missed.
- Offsets that the stream's retention removed before they were read are counted as skipped and shown, with how many; then it goes on with what is there.
- A stream that was deleted and made again is read from its start. It is known by its message before the next offset.
- Several entries may read one stream, each for itself. A stream needs a name and \`durable: true\`, and is neither exclusive nor autoDelete.

## What can never become an event

A message that is no JSON where \`jsonBody\` is set (also an empty one), or whose event is larger than the bus takes, is rejected without requeue: it goes to the queue's dead-letter exchange if it has one, else RabbitMQ drops it. A stream has no such place: the
message stays where it is, and is passed. Either way it is counted as skipped, logged once, and shown in status for ten minutes with its message-id, exchange and routing key, or its offset.

## What stays at the origin

| | when the entry is edited | when it, or its EventSource, is deleted |
|---|---|---|
| a queue with a name | bound to another \`exchangeName\` or \`routingKey\` the next who serves unbinds it from the one before; what is in it is still published. With another name, broker or virtual host the old queue stays, bound as it is; a run deletes it with \`deleteQueueOnFinish\` (unless only the broker's address has changed) | stays and goes on filling. With \`deleteQueueOnFinish: true\`: deleted, with what is in it, unless others consume from it |
| exchanges | stay | stay |
| a queue without a name | goes with its connection | goes with its connection |

Of a run, an entry that leaves the files is deleted; in Kubernetes the object is, and what is to go holds it back until a Job has done it. Entries that consume from one queue take from each other, and have each other's bindings: \`validate\` warns.

## When something fails

| what happens | messages |
|---|---|
| the serving replica is killed | the broker gives what was not acknowledged to the next one. Stored already and with a \`message-id\`: stored once. Without one: twice, at most ${PREFETCH} |
| it is frozen | another serves at once; what the frozen one had not acknowledged comes when the broker misses its heartbeats (two of 10 s; \`?heartbeat=2\` in the URL shortens that) |
| the broker is restarted | connected again with growing pauses, for ever; durable queues keep their persistent messages |
| the connection is silent | two missed heartbeats end it, and it is made again |
| user, password, exchange or queue are wrong | status says which, in the broker's words, and since when; tried again, with secrets read anew |
| the queue is deleted | declared and consumed anew |
| the bus takes nothing | nothing is acknowledged; the broker keeps what comes |
| a message can never become an event | see above |
| \`consume.exclusive\`, and the replica that served is frozen | the broker refuses the next one until it misses the heartbeats |

Hot standby: each replica keeps the last 60 s (16 MiB) of what it heard and compares it with the log; the next leader publishes what is missing there. Lost is only what came
while no replica had its queue.

## What differs from Argo Events

- Messages are acknowledged by hand, after the bus has them, also where \`autoAck\` says otherwise. There they are acknowledged on delivery and lost with the process, or with \`autoAck: false\` never, and
  then redelivered at every start.
- A prefetch of ${PREFETCH}, where they take everything that waits into memory.
- \`noWait\` is accepted and the answers are waited for: an error would be hidden.
- Whole numbers in \`queueDeclare.arguments\` keep their size; there they are cut to 32 bits.
- Streams: there every start begins with what comes, and what came meanwhile is not seen.
- \`consume.arguments\` is additional.
- \`deleteQueueOnFinish\` is additional.
- Without a queue's name every replica has a queue of its own, so nothing is lost at a failover.
`.trim()

export const examples: Example[] = [
  {
    name: 'amqp',
    title: 'A durable queue of RabbitMQ, with two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: amqp
spec:
  replicas: 3
  amqp:
    orders:
      url: amqp://guest:guest@localhost:5672
      exchangeName: orders
      exchangeType: direct
      routingKey: order
      # the body is JSON and stands in the payload as it is
      jsonBody: true
      queueDeclare:
        name: vedette-orders
        durable: true
      consume:
        consumerTag: vedette
`,
  },
  {
    name: 'amqp-stream',
    title: 'A stream of RabbitMQ, read on where it was left',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: amqp-stream
spec:
  replicas: 3
  amqp:
    history:
      url: amqp://guest:guest@localhost:5672
      exchangeName: history
      exchangeType: fanout
      # a fanout exchange does not look at it
      routingKey: all
      jsonBody: true
      queueDeclare:
        name: history
        durable: true
        arguments: "x-queue-type: stream"
      consume:
        # where the very first start begins; without it: with what comes
        arguments: "x-stream-offset: first"
`,
  },
]

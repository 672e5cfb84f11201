/** docs/performance.md as a head and sections, so that one can be measured anew without the others. */

/** The parts of the bench, in the order of the page. */
export const sections = {
  append: {
    title: 'Appends against the disk',
    about:
      'On the embedded bus an append is acknowledged once it is synced. `disk` is the same number of bytes written and synced alone, one ' +
      'after the other, in the same run.',
  },
  webhook: {
    title: 'Webhooks on the embedded bus',
    about: '`POST` of a 212-byte JSON body, keep-alive, answered 200 after the event is synced to disk.',
  },
  sqs: {
    title: 'Messages of an SQS queue',
    about: `10,000 messages on ElasticMQ, a queue server in memory on the same cores; each is published, synced to disk, and deleted. *One at a
time* receives one, publishes it, deletes it, and takes the next.`,
  },
  queues: {
    title: 'Messages that wait in Kafka, RabbitMQ, NSQ and Pulsar',
    about: `50,000 messages of about 200 bytes, there before anybody comes, onto the embedded bus by one replica. Broker and everything else run on the same
two cores. *Awaited one at a time*: the same bytes appended to a bus of the same kind, the next one when the one before is synced, and no broker to
ask, which is faster than any source of that design. *CPU*: of the serving process, start of the entry included.`,
  },
  'queue-failover': {
    title: 'Failover of a queue source',
    about: `100 messages a second go into a broker; three replicas; the serving process is killed with kill -9, again and again. The pause is the longest
time without an event around the kill. JetStream: three servers, three copies. At the end all messages are on the bus, each once.`,
  },
  memory: { title: 'Memory on the embedded bus', about: '' },
  failover: {
    title: 'Failover on the embedded bus',
    about: `A calendar entry that ticks ten times a second, three replicas, the serving process killed with kill -9, again and
again. *Gap*: from the loss seen to the next leader serving, as in \`vedette status\`. *From outside*: from the kill to \`status\` naming the next leader (polled every 5 ms).
*Scheduler delay*: how late timers fired in the measuring process meanwhile.`,
  },
  jetstream: {
    title: 'Webhooks on NATS JetStream',
    about: `Three webhook servers on the same nats-server, the same stream and the same connection path. Each reads a \`POST\` of 212 bytes of
JSON, makes the CloudEvent, publishes it with its \`Nats-Msg-Id\`, and answers 200 when the stream's ack is there.

| server | what it is |
|---|---|
| vedette | \`vedette run\` with one replica and an EventBus \`jetstreamExotic\`: the product, with all it does (routes, limits, checks, metrics) |
| awaited | node:http, \`JSON.parse\`, \`JSON.stringify\`, and the stock \`js.publish\` of @nats-io/jetstream, one request after the other: Argo Events' design (one goroutine per route takes a request, publishes, waits for the ack, takes the next), in the same language as the rest |
| pipelined | the same program, except that no request waits for the one before it |

The two are in \`bench/jetstream/rival.ts\`. Argo Events itself (Go) was measured on a machine of this kind, in another run: 4,000 to 5,000
events/s with 32 and with 256 connections, p99 13 to 20 ms with 32 and 77 to 170 ms with 256, 150 to 170 µs CPU per event; 340 to 370
events/s with 1 ms of delay.

All three are up all the time and take turns on the road; the order changes from round to round. Figures are medians of the rounds.
*vedette ÷ it*: the product's rate over this one's in the same round, median (smallest to largest). *Best lap*: the one that the
machine's other work disturbed least. *CPU*: all threads of the serving process, user and system. *Per core*: 1 s of CPU divided by that,
which is what a core that does nothing else gives; of all figures it depends least on what else the machine does. After each lap the stream
must have at least as many new messages as were answered 200; the sender (\`bench/fire.ts\`) has one request in flight per connection.`,
  },
  'jetstream-memory': {
    title: 'Memory on NATS JetStream',
    about: 'The serving process under the load of 32 connections, every other second.',
  },
  'pods-failover': {
    title: 'Failover on Kubernetes',
    about: `Real Pods on two nodes with an API server, one nats-server, an EventSource whose eight calendar entries tick ten times a second, elected by a
Lease with the default times (5 s, 2 s, 1 s). The process in the serving Pod is killed with kill -9, again and again; standbys see it by the peer link. From the
kill to the next leader's first event at a stock NATS subscriber. After each kill the Pod is replaced, so that the kubelet's back-off plays no part; at the end
the stream is judged: nothing lost, nothing doubled.`,
  },
  controller: {
    title: 'Many EventSources on one controller',
    about: `A real kube-apiserver and etcd, and \`vedette controller\` as a process with the shipped rights, started when 5,000 EventSources in 50 namespaces are
there and nothing of them is deployed. Half are webhooks with a Service, half calendars; each has two replicas and so a budget. No Pods run: that
Deployments are available is said by the bench, and a calendar's Pods cannot be asked who leads, which is tried every 30 s. API server, etcd, the proxy that
counts calls (watches apart) and the controller share the two cores. *Highest*: since the row before, looked at five times a second.`,
  },
  'jetstream-failover': {
    title: 'Failover on NATS JetStream',
    about: `As on the embedded bus, with three NATS servers and three replicas of stream and lease bucket. *To the next event*: from the kill to
the next leader's first event at a stock NATS subscriber. \`status\` is told a little later.`,
  },
  kafka: {
    title: 'Onto a Kafka bus',
    about: `\`vedette run\` with one replica and an EventBus \`kafka\`; brokers, sender and everything else on the same two cores.

- By HTTP: \`POST\` of 212 bytes, answered 200 when all in-sync replicas have the event.
- From a queue: 50,000 messages of about 200 bytes that wait in a topic of the same cluster, or in NSQ. Events and positions, and for the topic the group's offsets,
  go in one transaction after the other, each with what waits by then.

*Awaited sends*: a body of 212 bytes sent by the same client library, each when the one before is acknowledged (acks=all). *Awaited transactions*: the same,
each in a transaction of its own (in the row of \`kafka\` with a group's offsets), which is what exactly-once costs without gathering. All take turns; figures by HTTP are medians of the rounds.`,
  },
  'kafka-failover': {
    title: 'Failover on a Kafka bus',
    about:
      'As on the embedded bus, whose store also elects here; the next term begins with the next epoch of the producer.',
  },
} as const

export type Section = keyof typeof sections

const HEAD = `# Performance

Measured by \`npm run bench\` on a machine with 2 shared cores. Sender, servers and everything else run on these cores, and others' work
does too: compare figures within one table, not across tables or machines. \`npm run bench -- jetstream\` measures that section
alone; \`npm run bench -- --quick jetstream\` gives a first look in a minute and writes nothing.
`

/** A section as it stands on the page. @param measured when and where */
export function sectionText(section: Section, measured: string, results: string): string {
  const { title, about } = sections[section]
  return [`## ${title}`, about, measured, results.trim()].filter((part) => part !== '').join('\n\n')
}

/** The page with some sections replaced or added; sections that the bench does not know, written by people, stay at its end. */
export function pageWith(page: string, fresh: ReadonlyMap<Section, string>): string {
  const old = new Map(
    page
      .split(/^(?=## )/m)
      .slice(1)
      .map((text) => [titleOf(text), text.trim()]),
  )
  const names = Object.keys(sections) as Section[]
  const texts = names.map((name) => fresh.get(name) ?? old.get(sections[name].title))
  const others = [...old]
    .filter(([title]) => !names.some((name) => sections[name].title === title))
    .map(([, text]) => text)
  return `${[HEAD.trim(), ...texts.filter((text) => text !== undefined), ...others].join('\n\n')}\n`
}

const titleOf = (section: string): string => section.slice(3, section.indexOf('\n'))

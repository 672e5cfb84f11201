/** The prose and the examples of the Pulsar page. */
import type { Example } from '../../source.ts'
import { MOST_INCOMPLETE, MOST_INCOMPLETE_BYTES } from './chunks.ts'
import { IN_FLIGHT } from './intake.ts'

export const docs = `
The subscription is durable and has the entry's name, as in Argo Events; so two EventSources that read the same topic need entries of different names. When the subscription is new it begins
with what comes. A topic with partitions is read whole; new partitions are found within a minute and read from their beginning.

${IN_FLIGHT} messages are under way, in all partitions together, and up to 64 MiB. An entry of the broker (a message, or the batch that its producer made) is acknowledged when the bus has all of it durably.
Messages compressed with LZ4, ZLIB, ZSTD or Snappy are unpacked. A message that its producer has sent in chunks becomes one event, in the place of its last chunk; all its chunks are acknowledged when the bus has it. Standbys are connected and logged in, and know the brokers of the topics; they subscribe to nothing.

With \`exclusive\` the order of each partition is kept. With \`shared\` other consumers may take part, and there is no order.

## Finding the brokers

With \`pulsar://\` and \`pulsar+ssl://\` the hosts are brokers or proxies; the first that answers is asked for each topic, and brokers that send on to others are followed. With \`http://\` and \`https://\` the hosts have the REST API, and are asked by it;
the connections to brokers then have TLS with \`https\` only. The certificate of an \`https\` host must be for that host, unless \`tlsAllowInsecureConnection\` is set.
A login goes to every broker that the asked one names.

## Login by Athenz

\`authAthenzParams\` has the parameters of Pulsar's client: \`providerDomain\` and \`ztsUrl\`, with \`tenantDomain\`, \`tenantService\` and \`keyId\` (\`0\` without it) of the service whose private key is in \`authAthenzSecret\`. With it a principal token is signed, and ZTS gives a role
token for it, which the brokers get. With \`x509CertChain\`, a file, the service shows that certificate to ZTS instead (Copper Argos). \`caCert\`: whom to trust at ZTS; \`ztsProxyUrl\`: an HTTP proxy on the way there; \`principalHeader\`, \`roleHeader\`: other names of the headers.
Files are named as \`file:///path\` or as a \`data:application/x-pem-file;base64,…\` URL. A role token is asked for when a connection is made, and anew ten minutes before it expires.

## What stays at the origin

| | when the entry is edited | when it, or its EventSource, is deleted |
|---|---|---|
| the subscription, to each topic | a topic that is taken out of \`topics\` keeps messages for it; with \`deleteSubscriptionOnFinish: true\` it is unsubscribed by the next who serves. With another \`url\` it stays at the old one | stays, and its topics keep messages for it. With \`deleteSubscriptionOnFinish: true\`: unsubscribed, unless others consume by it |

Of a run, an entry that leaves the files is deleted; in Kubernetes the object is, and what is to go holds it back until a Job has done it. Entries of one name that read the same topic have one subscription: \`validate\` warns.

## When something fails

| what happens | messages |
|---|---|
| the serving replica is killed | what it had not acknowledged comes to the next one, and is stored once |
| the serving replica is frozen | the broker notices when the next one subscribes, or by its own keep-alive (a minute at most); until then it may answer that another consumer has the subscription, and status says so |
| a broker is restarted, or a topic moves to another one | connected again with growing pauses, for ever; what was not acknowledged comes again, and is stored once |
| hosts of an \`http\` URL are away | the brokers serve on, and status says it; new partitions are found when the hosts are back |
| a connection is silent | asked every 5 s; after 20 s without an answer it is made again |
| TLS, the token, the certificate, the key, the topic are wrong | status says which, and since when |
| the bus takes nothing | nothing is acknowledged; at ${IN_FLIGHT} messages, or 64 MiB, the broker waits |
| \`jsonBody\`, and a message is no JSON; it is encrypted by its producer; or its event is larger than the bus takes | acknowledged, counted as skipped, logged and shown with its id (\`ledger:entry\`), by which it can be read for as long as the retention of its namespace keeps it. Dead-letter topics are made by Pulsar's clients, and that of Argo Events makes none |
| chunks of a message do not come (its producer died) | after a minute without a further chunk: acknowledged, counted as skipped and shown, as in Pulsar's own clients. Time in which the bus takes nothing does not count |
| more than ${MOST_INCOMPLETE} messages in chunks, or more than ${MOST_INCOMPLETE_BYTES >> 20} MiB of them, are incomplete at once | the first of them go on; what found no room is not acknowledged, and read again when half of the room is free. Those messages then come later than others that were sent after them |
| one message in chunks is larger than ${MOST_INCOMPLETE_BYTES >> 20} MiB | acknowledged, counted as skipped and shown |
| the token expires | the broker closes the connection; the Secret is read anew |

## What differs from Argo Events

- A message is acknowledged only when the bus has it. There it is also acknowledged when publishing failed, and lost.
- New partitions are read from their beginning, not from when they are found.
- \`caCert\` of Athenz is also used without \`x509CertChain\`.
- Incomplete messages in chunks: there the oldest is dropped from memory when a partition has more than 100. What is given up there is not counted.
`.trim()

export const examples: Example[] = [
  {
    name: 'pulsar',
    title: 'A topic of Pulsar, with two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: pulsar
spec:
  replicas: 3
  pulsar:
    # also the name of the subscription
    orders:
      url: pulsar://localhost:6650
      topics: [orders]
      type: exclusive
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]

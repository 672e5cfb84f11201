/** The prose and the examples of the Kafka page. */
import type { Example } from '../../source.ts'
import { IN_FLIGHT } from './serve.ts'

export const docs = `
The replica that serves reads all partitions (with \`consumerGroup\`) or one (\`partition\`). Up to ${IN_FLIGHT} messages, or 32 MiB, are on their way to the bus at a time, each partition in its order.
The next offset of every partition is written to the bus together with the events: the next leader goes on there. With a group, what the bus holds is committed to the group too, so
that lag tools see it: once a second, or, where the EventBus is Kafka and the topic is on the same cluster, in the very transaction of the events.

Only committed messages are read, unless \`config\` says otherwise: those of an aborted transaction are no events. The id of an event is that of Argo Events, \`<eventsource>:<entry>:<first broker>:<topic>:<partition>:<offset>\`.

## Logins

| \`sasl.mechanism\` | |
|---|---|
| \`PLAIN\`, \`SCRAM-SHA-256\`, \`SCRAM-SHA-512\` | user and password; over TLS with \`tls\` |
| \`OAUTHBEARER\` | \`validate\` says that no field gives a token, \`run\` refuses; Argo Events accepts it and never connects |
| \`GSSAPI\` (Kerberos) | not supported: \`validate\` says so, \`run\` refuses |

A client certificate in \`tls\` is a login of its own (mutual TLS), or beside \`sasl\`.

\`awsMskIamAuth\` logs in to Amazon MSK with what the default chain of the AWS SDK finds: environment, web identity (IRSA), shared files, container, instance metadata. It may
\`kafka-cluster:Connect\`, \`DescribeTopic\` and \`ReadData\`, and with a group \`AlterGroup\` and \`DescribeGroup\`. The connection is always TLS, with \`tls\` for authorities of your own. Each connection has a new token, and gets
another before the broker ends the session.

## Settings of sarama

\`config\` is YAML over the settings of sarama, the Go client of Argo Events. Names may be in any case; durations are \`500ms\` or nanoseconds.

| setting | here |
|---|---|
| \`ClientID\` | the name that brokers see in logs and quotas; \`vedette\` |
| \`Net.DialTimeout\` | for a connection with TLS and login; 5 s |
| \`Net.ReadTimeout\` | for an answer, at least 5 s longer than \`MaxWaitTime\`; 10 s |
| \`Consumer.Fetch.Min\` | the broker waits until it has so many bytes; 1 |
| \`Consumer.Fetch.Default\` | at most so many bytes of a partition in an answer, a larger message alone; 1 MiB |
| \`Consumer.Fetch.Max\` | an upper bound of \`Default\`; none |
| \`Consumer.MaxWaitTime\` | the broker waits no longer for \`Min\`; 500 ms |
| \`Consumer.IsolationLevel\` | \`1\` or \`ReadCommitted\`; with \`0\` or \`ReadUncommitted\` messages of transactions that are open or aborted are events too; \`1\` |
| \`Consumer.Offsets.Initial\` | \`-2\` or \`OffsetOldest\` is \`oldest: true\` of a group; \`-1\` |

\`validate\` names each other setting, with the reason why it is not used. What is no YAML, or no value, is a warning, and the entry is not served. TLS and logins are not read from \`config\`.

## Avro

With \`schemaRegistry\` and \`jsonBody\` a message is a zero byte, the four bytes of its schema's id, and Avro. \`body\` is the value in Avro's JSON encoding as goavro prints it: a
union's value stands under its type (\`{"string": "x"}\`, \`{"com.example.Order": {…}}\`, \`{"long.timestamp-millis": 1700000000123}\`), \`null\` alone; bytes, fixed and decimals are text
with one character for each byte; dates and times are their numbers; a long has all its digits, so that beyond 2^53 some readers of JSON round it. Members of a record are in the order of its
schema. Schemas may refer to others, and are kept once they are known.

Registries with Confluent's API: Confluent, Karapace, Redpanda, Apicurio (below \`/apis/ccompat/v7\`). Their certificate is verified by the system's authorities, or as
\`schemaRegistry.tls\` says; the entry's own \`tls\` is for the brokers alone.

## What stays at the origin

| | when the entry is edited | when it, or its EventSource, is deleted |
|---|---|---|
| the offsets of the consumer group | of another \`topic\` or group they stay | stay; the broker forgets them after \`offsets.retention.minutes\` (seven days). Nothing else is kept, so nothing fills |

Entries that have one group and topic each pass over what the other has committed, when they begin anew: \`validate\` warns.

## When something fails

| what happens | messages |
|---|---|
| the serving replica is killed or frozen | the next one goes on at the next offset of each partition: nothing lost, nothing doubled |
| a broker is restarted, or a partition gets another leader | looked up anew each second, tried again for ever |
| an answer of a broker does not come though the connection stands | after 4 s in which nothing came over it, beside \`MaxWaitTime\`, it is asked for on a new connection (with a \`Net.ReadTimeout\` of more than 10 s: after that); a commit is repeated. Status says which broker is silent |
| the broker speaks TLS and the entry has no \`tls\` | status says so; tried again |
| partitions are added | read from their start |
| retention removed what was not yet read | counted as skipped and shown, with the offsets; goes on with the oldest that is there |
| the topic is deleted and made anew | read from its start, its ids end in \`:1\`, \`:2\`… |
| the topic does not exist, the login is refused | status says so; tried again, with secrets and AWS credentials read anew. The topic is not made |
| \`jsonBody\`, and a message is no JSON; or its event is larger than the bus takes | counted as skipped, logged and shown with its partition and offset, where it stays until the topic's retention removes it |
| the schema registry cannot be reached, refuses the login or has an error of its own | the partitions whose next message has a schema that is not known yet wait, status says since when, and it is asked for ever; the others go on |
| it has no schema of that id (404 with \`error_code\` 40403, three times within seconds), or it is one of Protobuf or JSON Schema | counted as skipped and shown |
| a value has no schema's id, or is not what its schema says: cut off, nested deeper than 1,000, more than 16 MiB of JSON | counted as skipped and shown |
| the bus takes nothing | nothing is committed, and no more is read than ${IN_FLIGHT} messages, or 32 MiB, and one answer of each broker |
| other consumers are members of the group | the broker refuses the commit and status says so; all messages are read all the same. Give the entry a group of its own: those that join later may find their offsets moved |
| the log loses messages (unclean leader election) | status says from which offset; goes on at the end |

On the first start a group begins at its committed offsets; without one \`oldest\` decides, and a partition without a group begins with what comes. A group whose committed offset is beyond what the bus remembers (Argo Events
ran in between) begins there.

## What differs from Argo Events

- No member of the group: nothing to rebalance, so the next leader goes on at once, where there the broker waits for the dead member's session (10 s). \`rebalanceStrategy\` has no meaning.
- A single partition is resumed at the next offset; there it begins with what comes, and what came in between is lost.
- Messages of aborted transactions are not emitted; there they are.
- \`version\` is checked and unused: client and broker agree by themselves. Of \`config\`, what is listed above is used.
- Times are always in UTC.
- The schema registry's certificate is verified, its secrets must be there, and references between schemas are followed. There, without the registry a message is lost, and a value of less than five bytes ends the event.
- GSSAPI is not supported; there it works with what \`config\` says of Kerberos.
`.trim()

export const examples: Example[] = [
  {
    name: 'kafka',
    title: 'A topic of Kafka with a consumer group, and two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: kafka
spec:
  replicas: 3
  kafka:
    orders:
      url: localhost:9092
      topic: orders
      # the body is JSON and stands in the payload as it is
      jsonBody: true
      consumerGroup:
        groupName: vedette-orders
        oldest: true
`,
  },
  {
    name: 'kafka-msk',
    title: 'A topic of Amazon MSK, with a login by AWS IAM',
    yaml: `# Needs an MSK cluster with IAM access control, and credentials of AWS where Vedette runs: on EKS the role of the ServiceAccount.
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: kafka-msk
spec:
  kafka:
    orders:
      url: b-1.orders.abc123.c2.kafka.eu-central-1.amazonaws.com:9098
      topic: orders
      awsMskIamAuth:
        region: eu-central-1
      consumerGroup:
        groupName: vedette-orders
`,
  },
  {
    name: 'kafka-avro',
    title: 'Avro messages, whose schemas a registry has',
    yaml: `# Needs a Kafka with a topic "payments" and a schema registry, such as Confluent's or Apicurio's.
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: kafka-avro
spec:
  kafka:
    payments:
      url: localhost:9092
      topic: payments
      jsonBody: true
      schemaRegistry:
        url: http://localhost:8081
        # auth:
        #   username: { name: registry, key: username }
        #   password: { name: registry, key: password }
      consumerGroup:
        groupName: vedette-payments
`,
  },
]

/** The prose and the examples of the MQTT page. */
import type { Example } from '../../source.ts'
import { hotStandbyDocs, hotStandbyFailures } from '../shared/hot-standby-docs.ts'

export const docs = `
| \`qos\` | how | guarantee |
|---|---|---|
| 0, or left out | every replica is subscribed, under the client id with something of its own appended | hot standby |
| 0, and a \`topic\` that begins with \`$share/<group>/\` (or \`$queue/\`, \`$exclusive/\`…) | the serving replica alone is subscribed: each member of a group takes messages away from the others, and so would a standby. What comes before the next one serves goes to other members, or is lost. Where the group has no other members, leave it out: one replica publishes in any case | at most once |
| 1 or 2 | the serving replica has the session \`clientId\`, which the broker keeps (clean session false); the next leader takes it over. A message is acknowledged (\`PUBACK\`) when the bus has it durably, in order | at least once |

QoS 2 is subscribed with QoS 1: its handshake would acknowledge a message before it is published. Senders need QoS 1 or 2 too, else the broker keeps nothing for a session. The broker bounds what it keeps
(Mosquitto: \`max_queued_messages\`, 1,000 by default).

A retained message that the broker tells again at each subscription is stored once, within the bus's window of repeats.

## Hot standby

${hotStandbyDocs}

## What stays at the origin

| | when the entry is edited | when it, or its EventSource, is deleted |
|---|---|---|
| the session \`clientId\`, with \`qos: 1\` or \`2\` | another \`topic\`: the old one is unsubscribed by the next who serves. What the broker still has of it is acknowledged, counted as skipped and shown, and is no event. Another \`clientId\`, or \`qos: 0\`: a run ends the session; in Kubernetes, and with another \`url\`, it stays and fills until it is ended by hand (\`mosquitto_sub -i <clientId> -E -t x\`, which connects with a clean session) | ended, with what is in it: no other client could have it, and for nobody the broker would go on filling it. \`deleteSessionOnFinish: false\`: it stays, so that the entry can be made anew without a loss |
| with \`qos: 0\` | nothing stays | nothing stays |

A session goes with its name: an entry that is renamed keeps it. Of a run, an entry that leaves the files is deleted; in Kubernetes the object is, and what is to go holds it back until a Job has done it.

A client id is let in once. Two entries that have one are told of by \`validate\`, and the second is not served; when another client has it, the broker throws out whoever came before, and status says so.

## When something fails

With QoS 0:

| what happens | messages |
|---|---|
${hotStandbyFailures}
| the broker is restarted | subscribed again with growing pauses, for ever; what is sent before that is lost |

With QoS 1 or 2:

| what happens | messages |
|---|---|
| the serving replica is killed or frozen | the next one takes the session over, and the broker sends what was not acknowledged again: nothing lost; what was stored already, and not acknowledged, is there twice |
| all replicas are killed | the broker keeps what comes, within its bounds |
| the broker is restarted | connected and subscribed again, for ever; with persistence it keeps its sessions |
| the bus takes nothing | nothing is acknowledged; the broker keeps what comes |
| the broker grants only QoS 0 | status says so, and nothing is served |

Always:

| what happens | |
|---|---|
| the connection is silent | a ping (each 10 s) without an answer ends it, and it is made again |
| host, TLS or password are wrong | status says which, and since when; secrets are read anew at each attempt |
| \`jsonBody\`, and a message is no JSON; or its event is larger than the bus takes | counted as skipped, logged and shown; there is no place where it is kept |

## What differs from Argo Events

- After a lost connection the topic is subscribed again. There it is not, and the source stays silent.
- Nothing is lost or doubled at a failover with QoS 0. For that each replica's client id is the one given, a dash and eight hex digits: a broker that restricts client ids must allow them.
- \`qos\` and \`deleteSessionOnFinish\` are additional.
- Only MQTT 3.1.1; no falling back to 3.1.
- Retained messages are not told again at each start or change of leader.
`.trim()

const example = (name: string, title: string, more: string): Example => ({
  name,
  title,
  yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: ${name}
spec:
  replicas: 3
  mqtt:
    sensors:
      url: tcp://localhost:1883
      topic: sensors/+/temperature
      clientId: vedette-${name}
${more}      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
})

export const examples: Example[] = [
  example('mqtt', 'A topic of MQTT, with two hot standbys', ''),
  example('mqtt-qos1', 'A topic of MQTT at least once, by a session that the broker keeps', '      qos: 1\n'),
]

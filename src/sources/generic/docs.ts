/** The prose and the examples of the page of generic event sources. */
import type { Example } from '../../source.ts'
import { LARGEST_MESSAGE } from './connect.ts'
import { IN_FLIGHT } from './serve.ts'

export const docs = `
A gRPC server of your own streams events. It implements one method, and any language with gRPC will do:

\`\`\`proto
syntax = "proto3";

package generic;

service Eventing {
  // Streams events until the client goes away.
  rpc StartEventSource(EventSource) returns (stream Event);
}

message EventSource {
  string name = 1;  // the entry's name
  bytes config = 2; // the entry's config, as it stands
}

message Event {
  string name = 1;
  bytes payload = 2;
}
\`\`\`

The serving replica holds one stream, a standby only a connection. Up to ${IN_FLIGHT} events are published side by side and stored in the order in which they came; more
are left to the server by HTTP/2's flow control. An event may have ${LARGEST_MESSAGE / 1024 / 1024} MiB.

### So that nothing is lost or doubled

The contract has no acknowledgement, so what a server has sent to a replica that dies is gone. A server that can go back gives each event a \`name\` that no other event has,
and the entry says \`uniqueNames: true\`. Then

- the name and the payload identify the event: sent again it is not stored again. A name that comes with another payload, as from a server that counts anew, is another event;
- each request carries the metadata \`last-event-name\`: the name of the last event that is stored, percent-encoded (\`encodeURIComponent\`); absent at the first
  start. The server goes on after it. Begin a little earlier if you must: repeats of the last minutes are not stored.

## When something fails

| what happens | events |
|---|---|
| the serving replica is killed or frozen | with \`uniqueNames\` the next one goes on after the last stored event: nothing lost, nothing doubled. Without it, what was sent and not yet stored is lost |
| the server ends the stream, is restarted, or the connection breaks | a new stream with growing pauses, for ever; the token and certificates are read anew |
| the connection is silent | a ping after 310 s (servers refuse more), ended when no answer comes within 10 s |
| the address, TLS or the token are wrong, the method is missing | status says which, and since when |
| the bus takes nothing | the stream waits; nothing is dropped |
| \`jsonBody\`, and a payload is no JSON; or its event is larger than the bus takes | counted as skipped, logged and shown with its name; the next stream goes on after it |
| an event is too large for gRPC | the stream ends, status says so; the server has to send less |

## What differs from Argo Events

- Without \`insecure\` TLS is spoken, with the system's authorities or those of \`tls\` (additional). There such an entry never connects.
- The first connection is made at once, not after 5 s; so is the next one after a loss, with growing pauses.
- \`uniqueNames\` is additional. Without it the name of an event is not looked at, as there.
- Stopping ends the stream at once; there it waits for the server.
`.trim()

export const examples: Example[] = [
  {
    name: 'generic',
    title: 'A gRPC server of your own, which can go back to an event by its name',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: generic
spec:
  replicas: 3
  generic:
    orders:
      url: localhost:8080
      # no TLS
      insecure: true
      # whatever the server wants to be told
      config: |
        {"queue": "orders"}
      # the server names each event, and goes on after the last one that was stored
      uniqueNames: true
      # the payload is JSON and stands in the event as it is
      jsonBody: true
`,
  },
]

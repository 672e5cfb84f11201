/** The docs page and examples of the type `webhook`. */
import type { Example } from '../../source.ts'

export const docs = `
Listens on \`port\` and turns each request to \`endpoint\` into one event. Entries of all types and EventSources may share
a port; each port has one listener, with or without TLS. All replicas serve at the same time.

The request's answer is the acknowledgement: **200 means that the event is durable on the bus** (or was filtered out, or was
stored before). Any other answer means that it was not stored by this request, so send it again.

### What becomes the body of the event

| request | \`body\` |
|---|---|
| \`GET\` | an object of the query's parameters, each value an array: \`?a=1&a=2\` → \`{"a":["1","2"]}\` |
| \`POST\`, \`Content-Type: application/x-www-form-urlencoded\` exactly | an object of the form's fields (without the query), each value an array |
| \`POST\`, anything else | the JSON text as sent: numbers, key order and duplicate keys are kept; white space is removed, \`<\`, \`>\`, \`&\` are escaped |

\`curl -d\` sends the form type unless told otherwise: add \`-H 'Content-Type: application/json'\`.

### Answers

| status | body | when |
|---|---|---|
| 200 | \`success\` | stored, stored before, or filtered out; \`X-Event-Id\` has the event's id |
| 301 | | the path is not clean (\`//x\`, \`/a/../x\`); \`Location\` has the clean one |
| 400 | what is wrong | the body is empty or not JSON, or the form is malformed |
| 401 | \`Invalid Authorization Header\`, \`Invalid Auth token\` | \`authSecret\` is set and the request has no or another token |
| 401 | \`missing signature\`, \`signature check failed\`, … | \`signature\` is set and the request's is not right, or too old |
| 404 | \`404 page not found\` | no entry has this path |
| 405 | \`http method does not match\` | the method is not the entry's; \`Allow\` has the right one |
| 408, 431 | | the request came too slowly; its headers are too large or too many |
| 413 | \`http: request body too large\` | the body exceeds \`maxPayloadSize\`, or the event what the bus can carry |
| 415 | \`content encoding gzip is not supported\` | the body is compressed; send it plain |
| 429 | \`too many requests\` | \`rateLimit\` is set and used up; \`Retry-After\` says when to try again |
| 503 | \`failed to record event\` | the bus cannot store now; \`Retry-After\` says when to try again |
| 503 | \`endpoint is inactive\`, \`too many requests\` | the entry is being started, stopped or changed, or cannot serve now; the listener is short of room, and this entry or sender has the most |
| 503 | \`the secret cannot be read\` | the Secret of \`authSecret\` or \`signature\` cannot be read; status names it |

\`/health\` answers 200 \`OK\` on every port, unless an entry has that endpoint.

### Retries without doubles

A request may say which message it is. The first of these counts:

| what | names |
|---|---|
| \`Idempotency-Key\` | the request |
| \`webhook-id\`, \`svix-id\` | the message, by [Standard Webhooks](https://www.standardwebhooks.com) |
| \`ce-id\` and the other \`ce-\` headers | the CloudEvent in binary mode |
| \`Content-Type: application/cloudevents+json\` | the CloudEvent in the body, by its \`id\` |
| \`Content-Type: application/cloudevents-batch+json\` | all CloudEvents in the body, in whatever order; all must have an \`id\`. The batch is one event here, as in Argo Events |

The same request again is the same event: it gets 200 and the same \`X-Event-Id\`, and is stored once within the bus's window. Senders may choose the same key, so it counts only
together with the method, the path and its query, the body, a CloudEvent's \`source\`, \`type\` and \`subject\`, and the token (\`authSecret\`) or secret (\`signature\`) that let
the request in: where one of these is another one, it is another event. Other headers may change from attempt to attempt, and so may \`time\` and the extensions of a
CloudEvent, such as a trace; of one in structured mode only \`data\` is its body, and its members may come in any order. A sender that changes its token between two
attempts makes two events.

### Token and signature

Without \`authSecret\` or \`signature\` anybody who reaches the port can send events: \`vedette validate\` and \`vedette status\` say so.
\`signature\` verifies [Standard Webhooks](https://www.standardwebhooks.com) (\`webhook-id\`, \`webhook-timestamp\`, \`webhook-signature\`), or an HMAC-SHA256 of the raw body
in a header of your choice. A Secret's value may hold several tokens or secrets, one per line, so that one can be rotated: all are accepted. What is
replaced is refused within a second.

**Who replays a signed request.** Standard Webhooks sign the id, the time and the body: what is signed is the identity, together with the secret, and nothing else counts, neither
path and query nor other headers such as \`Idempotency-Key\` or \`ce-id\`. A replay is the same event, or refused as too old. While a sender signs with two secrets that are both accepted, a
replay with one of the two signatures alone may be another event. \`hmac-sha256\` signs the body alone, so it says who sent something and not when: who has seen a signed request can send it
again, under another \`Idempotency-Key\` as another event. Of a GET nothing is signed that becomes the event: use POST.

### What happens when …

| what | then |
|---|---|
| a replica is killed with requests in flight | their connections break; the sender tries again at another replica. With a key nothing is lost or doubled; without one, an event that was stored but not answered is stored twice |
| the bus is away | 503 with \`Retry-After\` at once, and the connection is closed, so that the sender may come to a replica that reaches the bus; nothing waits, nothing is lost that was answered 200 |
| the token or the certificate is rotated | the next request (within a second), the next connection (within five) uses it; no restart |
| the manifest is changed | the route is replaced in place; no connection is refused |
| a replica stops (SIGTERM) | requests in flight finish, answers say \`Connection: close\`, idle connections are closed |

### What differs from Argo Events

- Error texts are written once (upstream writes some twice); a malformed form is 400, not 500.
- 405 for another method, 413 for a body over the limit, 415 for a compressed one, 503 for an inactive endpoint: upstream answers 400.
- 503 with \`Retry-After\` when the bus cannot store: upstream makes the caller wait for seconds and answers 500.
- \`maxPayloadSize\` also holds for forms (upstream: 10 MiB).
- Requests are stored in parallel (upstream: one at a time per entry), slow and oversized ones are cut off, tokens are compared in constant time.
- Two entries with the same port and endpoint are an error (upstream: one of them never gets a request); TLS and plain entries on one port too.
- The listener speaks HTTP/1.1 (upstream also HTTP/2 when TLS is on).
`.trim()

export const examples: Example[] = [
  {
    name: 'webhook',
    title: 'A webhook guarded by a token',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: orders-webhook
stringData:
  token: change-me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: orders
spec:
  replicas: 2
  webhook:
    created:
      port: "12000"
      endpoint: /orders/created
      method: POST
      # curl -H 'Authorization: Bearer change-me' -H 'Content-Type: application/json' \\
      #      -H 'Idempotency-Key: order-17' -d '{"order":17}' http://localhost:12000/orders/created
      authSecret:
        name: orders-webhook
        key: token
      metadata:
        team: shop
`,
  },
  {
    name: 'webhook-signed',
    title: 'A webhook whose requests are signed (Standard Webhooks)',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: payments-webhook
stringData:
  # may hold two lines while it is rotated: both are accepted
  signing: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: payments
spec:
  replicas: 2
  webhook:
    received:
      port: "12002"
      endpoint: /payments
      method: POST
      signature:
        secret:
          name: payments-webhook
          key: signing
      rateLimit:
        requestsPerSecond: 50
`,
  },
  {
    name: 'webhook-open',
    title: 'Two open webhooks on one port, one of them filtered',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: open
spec:
  webhook:
    any:
      port: "12001"
      endpoint: /any
      method: POST
    large:
      port: "12001"
      endpoint: /tenants/{tenant}/orders
      method: POST
      maxPayloadSize: 65536
      filter:
        expression: body.total > 100
`,
  },
]

/** The docs page and examples of the type `stripe`. */
import type { Example } from '../../source.ts'

export const docs = `
Turns each event of a Stripe account into one event. **Stripe gets 200 only when the event is durable on the bus**; until then it tries
again. All replicas serve at the same time.

### The endpoint and its signing secret

| fields | what happens |
|---|---|
| \`createWebhook: true\`, \`apiKey\`, \`webhook.url\` | one replica, whichever, makes the endpoint at Stripe and looks at it every minute. Stripe shows the signing secret once: it is kept in the bus's key-value store, where all replicas read it. An endpoint for the same URL whose secret nobody knows is replaced. The endpoint is deleted with the EventSource, never because a replica stops |
| \`signingSecret\` | the endpoint is yours; requests must be signed with its secret |
| neither | **anybody who reaches the port can make events**, as in Argo Events |

Who can read the bus's key-value store can read the signing secret.

\`Stripe-Signature\` is verified on the raw bytes: one of its \`v1\` signatures must be right, and its time within five minutes of now.
The API key needs write permission for webhook endpoints, nothing else: use a restricted key.

A replay of a signed request makes no second event: ids come from the signed body, those of test webhooks from the signed time and body.

### Answers

| status | body | when |
|---|---|---|
| 200 | \`success\` | stored, stored before, or of a type that \`eventFilter\` does not name |
| 400 | \`failed to parse the event\` | not JSON, or not an event |
| 401 | \`signature check failed\` | the signature or its time is wrong or missing |
| 405, 413, 415 | | not \`POST\`; larger than \`maxPayloadSize\`; compressed |
| 503 | | the bus cannot store now, the endpoint has just been made, or a secret cannot be read |

### What happens when …

| what | then |
|---|---|
| a replica is killed with requests in flight | Stripe sends again, to another replica; what was stored already is not stored again |
| the bus is away | 503 at once; Stripe tries again for up to three days, with growing pauses |
| somebody deletes, disables or changes the endpoint | it is made, enabled or changed back within a minute |
| Stripe's API cannot be reached, or refuses the key | status says so; it is tried again for ever; events are served meanwhile |
| the bus loses its key-value store | the endpoint is replaced by a new one with a new secret; events signed with the old one in that minute are refused, and Stripe sends them again |
| *Send test webhook* on Stripe's page | an event each time: all of them have one id, which is therefore no identity |
| Stripe repeats an event after the bus's window of ids (24 h embedded, 5 min on JetStream as Argo Events sets it up) | it is stored twice |

### What differs from Argo Events

- Signatures are verified (upstream never does), with \`signingSecret\`, a field of ours, or the secret of the created endpoint.
- One endpoint is made and kept (upstream makes a new one at every start of every replica, throws the secret away, and deletes none).
- \`createWebhook\` works without \`eventFilter\` (upstream's call fails).
- Events that \`eventFilter\` does not name are answered 200 (upstream: 400, and Stripe repeats them for days).
- A \`request\` that is only an id (old API versions) is understood; \`null\` as a body is 400 and no crash.
- Event ids are derived from Stripe's (upstream: random); only \`POST\` is accepted; a body over the limit is 413, not 503.
`.trim()

export const examples: Example[] = [
  {
    name: 'stripe',
    title: 'Payments of a Stripe account, with an endpoint that is made and verified',
    yaml: `# Needs a Stripe account, and a URL under which Stripe reaches port 12000.
apiVersion: v1
kind: Secret
metadata:
  name: stripe
stringData:
  api-key: rk_test_change_me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: payments
spec:
  replicas: 2
  stripe:
    charges:
      createWebhook: true
      apiKey:
        name: stripe
        key: api-key
      eventFilter:
        - charge.succeeded
        - charge.failed
      webhook:
        port: "12000"
        endpoint: /stripe
        method: POST
        url: https://events.example.com
`,
  },
]

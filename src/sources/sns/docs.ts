/** The docs page and examples of the type `sns`. */
import type { Example } from '../../source.ts'

export const docs = `
Subscribes \`webhook.url\` + \`webhook.endpoint\` to the topic, confirms the subscription, and turns each notification into one
event. **SNS gets 200 only when the event is durable on the bus.** All replicas serve at the same time; one of them, whichever, subscribes for all.

The subscription is looked at every minute and comes back when it was removed. An existing one for the same URL is adopted. It is
removed when the EventSource is deleted, never because a replica stops. Without \`webhook.url\` nothing is subscribed: subscribe the topic yourself; the confirmation is answered all the same.

The credentials (see [sqs](sqs.md#credentials)) need \`sns:Subscribe\` and \`sns:ConfirmSubscription\`; \`sns:ListSubscriptionsByTopic\` and \`sns:Unsubscribe\` to clean up.

### Signatures

With \`validateSignature: true\` only messages that SNS signed are accepted: \`SignatureVersion\` 1 (SHA-1) and 2 (SHA-256; choose it
with the topic's attribute \`SignatureVersion\`). The certificate is fetched from \`https://sns.<region of the topic>.amazonaws.com/SimpleNotificationService-….pem\` only (China: \`.cn\`; or from \`endpoint\`, when that is set), within
5 s, without redirects, for messages of the topic alone, four at a time, and kept for a day; one that is not there is not asked for again for ten minutes. Without it **anybody who reaches the port can make events**.

A topic may be set to *raw message delivery*. Such messages carry no signature, so they need \`validateSignature: false\`. Their event has the
same shape: \`body\` has \`Type\`, \`MessageId\`, \`TopicArn\` and \`Message\`, made from the headers and the text that SNS sent.

A confirmation costs a call with the entry's credentials, and SNS signs it, also where messages come raw. So it is verified whatever \`validateSignature\` says, unless
\`endpoint\` is set; SNS is asked once for each token, at most four times at once and once more every 15 s.

### Answers

| status | body | when |
|---|---|---|
| 200 | \`success\` | the notification is stored, was stored before, or is filtered out |
| 200 | | a subscription is confirmed; messages of another \`Type\`, such as \`UnsubscribeConfirmation\`, which make no event |
| 400 | what is wrong | not JSON, not a message of SNS, a wrong signature, a token that SNS refuses. SNS does not repeat it |
| 403 | | the message is one of another topic: looked at before its signature |
| 405, 413, 415 | | not \`POST\`; larger than \`maxPayloadSize\`; compressed |
| 503 | | the bus cannot store now, the certificate cannot be fetched, or SNS cannot be asked to confirm now: SNS tries again |

### What happens when …

| what | then |
|---|---|
| a replica is killed with requests in flight | SNS delivers again, to another replica; what was stored already is not stored again |
| a replica stops, or all are replaced one by one | nothing: the subscription stays |
| the bus is away | 503 at once; SNS delivers again by its retry policy (HTTP default: 50 attempts in about an hour; a topic's policy or dead-letter queue may say more) |
| somebody removes the subscription | it is made again within a minute; what was published in between never reaches it |
| SNS does not reach the URL | status says that the subscription is not confirmed; it is asked for again and again |
| a notification is repeated after the bus's window of ids (24 h embedded, 5 min on JetStream as Argo Events sets it up) | it is stored twice |

### What differs from Argo Events

- Signatures are verified as AWS documents them, version 1 and 2 (upstream's check refuses every genuine message).
- Certificates are kept, fetched with a time limit and without redirects, from the topic's own region (upstream: once per message, without a limit, from any host \`sns.*.amazonaws.com\`).
- Confirmations are verified (upstream: with \`validateSignature\` only).
- A message of another topic is refused with 403 (upstream accepts any topic).
- One replica subscribes, and the subscription stays when replicas stop (upstream: each subscribes at each start, and the one that confirmed unsubscribes all when it stops).
- Failures that pass are 503, so that SNS tries again (upstream: 400 when the confirmation or the certificate fails, and SNS gives up).
- Raw message delivery works.
- The body must be JSON (upstream takes YAML, and then fails); only \`POST\` is accepted.
- Event ids are derived from \`MessageId\` (upstream: random).
`.trim()

export const examples: Example[] = [
  {
    name: 'sns',
    title: 'Signed notifications of an SNS topic',
    yaml: `# Needs a topic, and a URL under which SNS reaches port 12000. Credentials come from the default chain.
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: notifications
spec:
  replicas: 2
  sns:
    orders:
      topicArn: arn:aws:sns:us-east-1:123456789012:orders
      region: us-east-1
      validateSignature: true
      webhook:
        port: "12000"
        endpoint: /sns
        method: POST
        url: https://events.example.com
`,
  },
]

/** The docs page and examples of the type `storageGrid`. */
import type { Example } from '../../source.ts'

export const docs = `
Receives the notifications of a bucket and turns each request into one event. **StorageGRID gets 200 only when the event is durable on
the bus**; until then it tries again. All replicas serve at the same time.

With \`webhook.url\` one replica, whichever, sets the notifications up and looks at them every minute:

- the endpoint of the tenant with the URN \`topicArn\`; one that is there already is left as it is,
- the bucket's \`TopicConfiguration\` with the entry's name as its \`Id\`. Configurations of others in the same bucket stay.

The configuration is removed when the EventSource is deleted, never because a replica stops; the endpoint stays. Without \`webhook.url\` set both up yourself.

StorageGRID proves nothing about itself, and sends no token: let nothing else reach the port.

### Answers

| status | body | when |
|---|---|---|
| 200 | XML, \`PublishResponse\` | stored, stored before, held back by \`filter\`; or the request tells of no object (a probe, the test message that StorageGRID sends when an endpoint is made) |
| 400 | what is wrong | the form is malformed, or a record has a member of another kind than S3 events have |
| 413, 415 | | larger than \`maxPayloadSize\`; compressed |
| 503 | \`failed to record event\` | the bus cannot store now |

### What happens when …

| what | then |
|---|---|
| a replica is killed with requests in flight | StorageGRID sends again, to another replica; what was stored already has the same id (bucket, key, sequencer, kind of event) and is not stored again |
| the bus is away | 503 with \`Retry-After\` at once; StorageGRID keeps the message and tries again |
| somebody changes or removes the bucket's configuration | ours is put back within a minute |
| the Management API cannot be reached | status says so; it is tried again for ever; what StorageGRID sends is served meanwhile |
| a request holds several records | one event with all of them; \`filter\` lets it through when one of them passes |
| a repeat after the bus's window of ids (24 h embedded, 5 min on JetStream as Argo Events sets it up) | it is stored twice |

### What differs from Argo Events

- 200 comes after the event is durable (upstream: before the request is even parsed, so that whatever fails is lost).
- The form is decoded once: keys with \`&\`, \`=\`, \`+\` and \`%\` are right (upstream decodes twice, and loses or changes them).
- \`storageGridEventSource\` holds the record's \`eventSource\` (upstream: always empty).
- A request without records is no crash.
- Other notifications of the bucket are kept (upstream replaces all of them), values in the XML are escaped, and the configuration is removed with the EventSource.
- Event ids are derived from the records (upstream: random); the answer names the event, and is \`application/xml\`.
`.trim()

export const examples: Example[] = [
  {
    name: 'storage-grid',
    title: 'New objects of a StorageGRID bucket',
    yaml: `# Needs StorageGRID 11.2 or later with platform services, and a URL under which it reaches port 12000.
apiVersion: v1
kind: Secret
metadata:
  name: storage-grid
stringData:
  token: change-me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: objects
spec:
  replicas: 2
  storageGrid:
    uploads:
      topicArn: urn:sgws:sns:us-east-1:123456789012:uploads
      apiURL: https://grid.example.com/api/v3
      authToken:
        name: storage-grid
        key: token
      bucket: uploads
      events:
        - ObjectCreated:*
      filter:
        suffix: .csv
      webhook:
        port: "12000"
        endpoint: /uploads
        method: POST
        url: https://events.example.com
`,
  },
]

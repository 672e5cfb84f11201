/** The prose and the examples of the MinIO page. */
import type { Example } from '../../source.ts'
import { MOST_REMEMBERED } from '../shared/remembered.ts'

const objects = MOST_REMEMBERED.toLocaleString('en')

export const docs = `
The serving replica listens to the bucket (MinIO's \`ListenBucketNotification\`); the bucket's own notification settings are left alone. Only MinIO has this; S3 and others refuse it.

MinIO keeps nothing for a listener that is away. So whoever begins to listen, after a failover or a lost connection, then lists the bucket (under \`filter\`) and
compares it with what was last told. Objects that are new or written anew are told as \`s3:ObjectCreated:Put\` (\`CompleteMultipartUpload\` when their tag shows parts), objects that are gone as \`s3:ObjectRemoved:Delete\`,
if \`events\` asks for that kind. Such a record says neither who did it nor from where. Several changes of one object within such a time are one. The very first start only looks.

Up to ${objects} objects are remembered, by key and time of writing. In a larger bucket what was removed meanwhile is not found; what was written is, by its time.

How an object was written a listing does not show: so ask for \`s3:ObjectCreated:*\`. With \`Put\` alone, copies and posts of such a time are told as \`Put\`; with \`Copy\` or \`Post\` alone, nothing of it is told.

In a bucket with versions a listing shows the newest ones. Versions that are removed for good while nobody listens are not told when another one is still there.

Other kinds (\`ObjectAccessed\`, tags, retention, replication…) leave nothing that a listing shows: they are told when they are heard.

The keys need the permissions \`s3:ListenBucketNotification\` and \`s3:ListBucket\`.

## What stays at the origin

Nothing: whoever listens is told by the connection.

## When something fails

| what happens | |
|---|---|
| the serving replica is killed or frozen | the next one finds by listing what nobody told: each object's final state once |
| MinIO is restarted, the connection breaks | listened and listed again with growing pauses, for ever |
| the connection is silent | MinIO says something every second; 15 s without a word end it |
| more than 20,000 notifications wait for a slow bus | the rest is found by listing |
| endpoint, TLS, keys, bucket or permissions are wrong | status says which, and since when; Secrets are read anew at each attempt |
| an object is created and removed again within a second before a failover, and the removal comes after it | the removal may not be told, when more than 32 objects changed in that second |

## What differs from Argo Events

- What happens while nobody listens is found by listing. There it is lost.
- A connection that cannot be made is tried again, for ever. There the entry is dead.
- An entry without \`events\` is warned of, and not served: MinIO would tell it nothing.
- \`region\` is used for the signature of requests.
`.trim()

export const examples: Example[] = [
  {
    name: 'minio',
    title: 'Objects of a MinIO bucket, with two standbys',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: minio
stringData:
  accesskey: minioadmin
  secretkey: minioadmin
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: minio
spec:
  replicas: 3
  minio:
    uploads:
      endpoint: localhost:9000
      # HTTP
      insecure: true
      bucket:
        name: input
      events:
        - s3:ObjectCreated:*
        - s3:ObjectRemoved:*
      filter:
        prefix: uploads/
      accessKey:
        name: minio
        key: accesskey
      secretKey:
        name: minio
        key: secretkey
`,
  },
]

/** The examples of the type `minio`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

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

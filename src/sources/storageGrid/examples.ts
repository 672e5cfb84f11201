/** The examples of the type `storageGrid`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

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

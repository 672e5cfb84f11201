/** The examples of the type `bitbucket`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'bitbucket',
    title: 'Hooks of a repository, created with an access token (put yours in)',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: bitbucket
stringData:
  # may hold two lines while it is rotated, the new one first
  webhookSecret: change-me
  token: put-yours-here
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: bitbucket
spec:
  replicas: 2
  bitbucket:
    shop:
      repositories:
        - owner: acme
          repositorySlug: shop
      events: ["repo:push", "pullrequest:created"]
      auth:
        oauthToken:
          name: bitbucket
          key: token
      webhookSecret:
        name: bitbucket
        key: webhookSecret
      # Add the address at which Bitbucket reaches this port, and the hooks are created:
      #   url: https://hooks.example.com
      webhook:
        port: "12012"
        endpoint: /bitbucket
        method: POST
`,
  },
]

/** The examples of the type `bitbucketserver`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'bitbucketserver',
    title: 'Hooks of a repository and of all of a project, one event per change (put your token in)',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: bitbucketserver
stringData:
  # may hold two lines while it is rotated, the new one first
  webhookSecret: change-me
  token: put-yours-here
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: bitbucketserver
spec:
  replicas: 2
  bitbucketserver:
    pushes:
      bitbucketserverBaseURL: https://bitbucket.example.com/rest
      repositories:
        - projectKey: SHOP
          repositorySlug: orders
      projects: [DOCS]
      events: ["repo:refs_changed"]
      oneEventPerChange: true
      checkInterval: 5m
      accessToken:
        name: bitbucketserver
        key: token
      webhookSecret:
        name: bitbucketserver
        key: webhookSecret
      # Add the address at which Bitbucket reaches this port, and the hooks are created:
      #   url: https://hooks.example.com
      webhook:
        port: "12013"
        endpoint: /bitbucketserver
        method: POST
`,
  },
]

/** The examples of the type `github`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'github',
    title: 'Hooks of two repositories, created with a token (put yours in)',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: github
stringData:
  # may hold two lines while it is rotated, the new one first
  webhookSecret: change-me
  apiToken: ghp_put-yours-here
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: github
spec:
  replicas: 2
  github:
    shop:
      repositories:
        - owner: acme
          names: [shop, shop-docs]
      events: [push, pull_request]
      active: true
      contentType: json
      webhookSecret:
        name: github
        key: webhookSecret
      # Add the address at which GitHub reaches this port, and the hooks are created:
      #   url: https://hooks.example.com
      webhook:
        port: "12010"
        endpoint: /github
        method: POST
      apiToken:
        name: github
        key: apiToken
      filter:
        expression: body["X-GitHub-Event"] != "ping"
`,
  },
]

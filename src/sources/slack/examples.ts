/** The examples of the type `slack`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'slack',
    title: 'Mentions and slash commands of a Slack app',
    yaml: `# Needs a Slack app whose request URLs lead to port 12000.
apiVersion: v1
kind: Secret
metadata:
  name: slack
stringData:
  token: change-me
  signing-secret: change-me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: chat
spec:
  replicas: 2
  slack:
    bot:
      token:
        name: slack
        key: token
      signingSecret:
        name: slack
        key: signing-secret
      webhook:
        port: "12000"
        endpoint: /slack
        method: POST
`,
  },
]

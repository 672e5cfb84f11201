/** The examples of the type `gitlab`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'gitlab',
    title: 'Hooks of a project and a group, created with a token (put yours in)',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: gitlab
stringData:
  # may hold two lines while it is rotated, the new one first
  secretToken: change-me
  accessToken: glpat-put-yours-here
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: gitlab
spec:
  replicas: 2
  gitlab:
    shop:
      gitlabBaseURL: https://gitlab.com
      projects: [acme/shop]
      groups: [acme-docs]
      events: [PushEvents, MergeRequestsEvents]
      enableSSLVerification: true
      accessToken:
        name: gitlab
        key: accessToken
      secretToken:
        name: gitlab
        key: secretToken
      # Add the address at which GitLab reaches this port, and the hooks are created:
      #   url: https://hooks.example.com
      webhook:
        port: "12011"
        endpoint: /gitlab
        method: POST
`,
  },
]

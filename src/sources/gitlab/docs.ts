/** The docs page and examples of the type `gitlab`. */
import type { Example } from '../../source.ts'

export const docs = `
Listens for the webhooks of projects and groups and turns each into one event. With \`webhook.url\` it also creates the hooks at
GitLab, exactly one per project or group, however many replicas there are, and keeps them as the object says.

### Hooks

The port opens first; then one of the replicas looks at each group and project: it lists all hooks, creates the one that is missing, keeps the
oldest if there are several with this URL, and updates it when the events, the TLS verification or a token have changed. It looks again
every minute. What goes wrong is shown by \`vedette status\` and tried again with growing pauses; events are served meanwhile. Hooks are
removed when the EventSource is deleted, if \`deleteHookOnFinish\` is set, and never because a replica stops. A project or group that is taken out of
the object keeps its hook: delete it at GitLab.

### Token and signature

With \`secretToken\` each request must carry it as \`X-Gitlab-Token\`; with \`signingToken\` it must carry a \`webhook-signature\` not older than five
minutes. Both may be set. To rotate one put two lines into its value, the new one first: both are accepted, the first is given to GitLab. When the
value is simply replaced, the former one is accepted while the registrar tells GitLab the new one and for half a minute after that, five minutes at most;
where hooks are not managed it is refused at once. The token is masked in the payload.

**What a replayer can do.** \`signingToken\`: nothing; id, time and body are signed, and what is replayed within the five minutes has the same id. With \`secretToken\` alone a request shows
the token to whoever sees it, who can then send anything.

### Answers

GitLab switches a hook off for good after a few answers of the kind 4xx, and pauses it after 5xx. So nothing that is our fault is 4xx: 503 while the bus
cannot store, the secret cannot be read, or the entry is being started or changed.

| status | body | when |
|---|---|---|
| 200 | \`success\` | stored, stored before, or filtered out; \`X-Event-Id\` has the event's id |
| 400 | \`invalid event\` | the body is not JSON |
| 401 | \`token mismatch\`, \`signature check failed\`, … | the token or signature is not right |
| 405, 413 | | not POST; larger than \`maxPayloadSize\` |
| 503 | | try again later; \`Retry-After\` says when |

### What happens when …

| what | then |
|---|---|
| a replica is killed with a request in flight | GitLab shows the delivery as failed; resent (by hand or API) it is stored once, under the same id |
| all replicas or the bus are away | 503 or no answer: GitLab pauses the hook for a minute and longer each time, and goes on by itself |
| GitLab has switched the hook off for good | status says so; a test request sent from GitLab's page switches it on again |
| a delivery is resent | the same \`Idempotency-Key\`: stored once within the bus's window. GitLab before 17.4 gives it UUIDs of its own: another event |
| the hook is deleted or changed at GitLab | it is made anew or changed back within a minute |
| GitLab's API is away, the token is wrong, or the rate limit is used up | status says so; requests are served all the same |

### What differs from Argo Events

- \`secretToken\` is always checked (upstream: only where hooks are created), in constant time, and masked in the payload.
- One hook per project or group: all pages are listed, changes update it (upstream leaves it as it is).
- Group hooks get all kinds of events that are asked for (upstream leaves out four).
- Unknown event names are found by \`validate\` (upstream: retried, or the event ends without a word).
- 401 for a wrong token, 405 for another method, 413 for a large body: upstream answers 400. \`signingToken\` is new.
- Ids come from \`Idempotency-Key\` and the body.
`.trim()

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

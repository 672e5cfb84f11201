/** The docs page and examples of the type `github`. */
import type { Example } from '../../source.ts'

export const docs = `
Listens for the webhooks of repositories or organizations and turns each delivery into one event. With \`webhook.url\` and
credentials (\`apiToken\`, or \`githubApp\`) it also creates the hooks at GitHub, exactly one per repository or organization, however many
replicas there are, and keeps them as the object says. Without them you create the hooks yourself; the object still names the repositories.

### Hooks

The port opens first; then one of the replicas looks at each repository (and organization): it lists all hooks, creates the one that is missing,
keeps the oldest if there are several with this URL, and updates it when the events, \`active\`, \`contentType\`, \`insecure\` or
the secret have changed. It looks again every minute. What goes wrong is shown by \`vedette status\` and tried again with growing pauses (rate limits
as GitHub says); events are served meanwhile. Hooks are removed when the EventSource is deleted, if \`deleteHookOnFinish\` is set, and never because a replica stops.
A repository that is taken out of the object keeps its hook: delete it at GitHub.

Deliveries that GitHub could not hand over (no replica answered 200) are asked for again every minute, as far back as an hour, where the
hooks are managed: GitHub does not send them again by itself.

### Signatures

With \`webhookSecret\` each request must carry \`X-Hub-Signature-256\` (or \`X-Hub-Signature\` with \`sha256=\` or \`sha512=\`); SHA-1 alone is refused. To rotate the
secret put two lines into its value, the new one first: both are accepted, the first is given to GitHub. When the value is simply replaced, the
former one is accepted while the registrar tells GitHub the new one and for half a minute after that, five minutes at most; where hooks are not managed it is refused at
once.

**What a replayer can do.** GitHub signs the body alone: no time and none of its headers, \`X-GitHub-Delivery\` and \`X-GitHub-Event\` among them. Who has once seen a signed request can send it
again, with another id as another event, for as long as the secret is in use; never another body, and no forged id makes two bodies one. Equal bodies of two deliveries stay
two events, since a workflow that is started twice, or a member who is added, removed and added again, says the same in both. Change the secret when a signed request has been seen by somebody else.

### The body of the event

\`body\` is the JSON object (for \`contentType: form\`, what the field \`payload\` holds) as Argo Events encodes it: keys sorted, numbers as 64-bit floats, and
the keys \`X-GitHub-Event\` and \`X-GitHub-Delivery\` added. \`ping\` is an event like any other.

### Answers

| status | body | when |
|---|---|---|
| 200 | \`success\` | stored, stored before, or filtered out; \`X-Event-Id\` has the event's id |
| 400 | what is wrong | not a JSON object |
| 401 | \`missing signature\`, \`payload signature check failed\`, … | \`webhookSecret\` is set and the signature is not right |
| 405 | | not POST |
| 413 | | larger than \`maxPayloadSize\` |
| 415 | \`webhook request has unsupported Content-Type "text/plain"\` | neither JSON nor a form |
| 503 | | the bus cannot store now, or the secret cannot be read; \`Retry-After\` says when to try again |

### What happens when …

| what | then |
|---|---|
| a replica is killed with a delivery in flight | GitHub shows it as failed; it is asked for again within a minute or two and stored once, under the same id |
| all replicas or the bus are away | deliveries fail (503 or no answer) and are asked for again once it is back, up to an hour later |
| a delivery is redelivered by hand | it has the same \`X-GitHub-Delivery\`: stored once within the bus's window |
| two hooks deliver an event here (of an organization and of its repository) | two events, although GitHub calls both the same: what each delivers is its own |
| the hook is deleted or changed at GitHub | it is made anew or changed back within a minute |
| GitHub's API is away, the token is wrong, or the rate limit is used up | status says so; deliveries are served all the same |
| the secret is rotated | GitHub is given the new one within seconds; both are accepted meanwhile |

### What differs from Argo Events

- One hook per repository, whatever the number of replicas and existing hooks: all pages are listed, changes of events, secret and flags update the hook
  (upstream creates another one or leaves it).
- Hooks are looked at for ever (upstream: ten minutes), and are not deleted when a Pod stops.
- 401 for a wrong signature, 415 for another content type, 405 for another method, 413 for a large body: upstream answers 400.
- A SHA-1 signature alone is refused.
- Ids come from \`X-GitHub-Delivery\`, the hook and the body; failed deliveries are asked for again.
`.trim()

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

/** The docs page and examples of the type `bitbucket`. */
import type { Example } from '../../source.ts'

export const docs = `
Listens for the webhooks of repositories of Bitbucket Cloud and turns each into one event. With \`webhook.url\` and credentials it also
creates the hooks at Bitbucket, exactly one per repository, however many replicas there are, and keeps them as the object says.

### Hooks

The port opens first; then one of the replicas looks at each repository: it lists all hooks, creates the one that is missing, keeps the oldest if
there are several with this URL, and updates it when the events or the secret have changed. It looks again every minute. What goes wrong is shown by
\`vedette status\` and tried again with growing pauses; events are served meanwhile. Hooks are removed when the EventSource is deleted, if
\`deleteHookOnFinish\` is set, and never because a replica stops.
A repository that is taken out of the object keeps its hook: delete it at Bitbucket.

### Signatures

With \`webhookSecret\` each request must carry \`X-Hub-Signature: sha256=…\`. To rotate the secret put two lines into its value, the new one first: both are
accepted, the first is given to Bitbucket. When the value is simply replaced, the former one is accepted while the registrar tells Bitbucket
the new one and for half a minute after that, five minutes at most; where hooks are not managed it is refused at once.

**What a replayer can do.** Bitbucket signs the body alone: no time and none of its headers, \`X-Request-UUID\` and \`X-Event-Key\` among them. Who has once seen a signed request can send it
again, with another id as another event, for as long as the secret is in use; never another body, and no forged id makes two bodies one. Equal bodies of two deliveries stay
two events, since nothing says that it never sends the same twice. Change the secret when a signed request has been seen by somebody else.

### Answers

| status | body | when |
|---|---|---|
| 200 | \`success\` | stored, stored before, or filtered out; \`X-Event-Id\` has the event's id |
| 400 | \`invalid event\` | the body is not JSON |
| 401 | \`missing signature\`, \`payload signature check failed\`, … | the signature is not right |
| 405, 413 | | not POST; larger than \`maxPayloadSize\` |
| 503 | | the bus cannot store now, the secret cannot be read, or the entry is being started or changed; \`Retry-After\` says when to try again |

### What happens when …

| what | then |
|---|---|
| a replica is killed with a request in flight | Bitbucket sends it again with the same \`X-Request-UUID\`; it is stored once |
| all replicas or the bus are away | Bitbucket tries a few times in some minutes; what it then gives up is lost |
| the hook is deleted or changed at Bitbucket | it is made anew or changed back within a minute |
| Bitbucket's API is away, the credentials are wrong, or the rate limit is used up | status says so; requests are served all the same |

### What differs from Argo Events

- Signatures (\`webhookSecret\`): Argo Events checks none.
- Hooks are adopted and updated (upstream deletes and creates them anew at each start of a replica, and loses what comes in between), and looked at for ever.
- The API's address is a field (upstream takes another one from its environment).
- \`auth\` missing is an error (upstream's controller crashes).
- 405 for another method, 413 for a large body: upstream answers 400.
- Ids come from \`X-Request-UUID\`, the hook and the body.
`.trim()

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

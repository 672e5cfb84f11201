/** The docs page and examples of the type `bitbucketserver`. */
import type { Example } from '../../source.ts'

export const docs = `
Listens for the webhooks of repositories of Bitbucket Server or Data Center and turns each into one event, or \`repo:refs_changed\` into one
per change. With \`webhook.url\` and \`accessToken\` it also creates the hooks at Bitbucket, exactly one per repository, however many
replicas there are, and keeps them as the object says.

### Hooks

The port opens first; then one of the replicas lists the repositories of \`projects\` and looks at each repository: it lists all hooks, creates the
one that is missing, keeps the oldest if there are several with this URL, and updates it when the events or the secret have changed. It looks again every
\`checkInterval\`. What goes wrong is shown by \`vedette status\` and tried again with growing pauses; events are served meanwhile. Hooks are
removed when the EventSource is deleted, if \`deleteHookOnFinish\` is set, and never because a replica stops.
A repository that is taken out of the object keeps its hook: delete it at Bitbucket.

### Signatures

With \`webhookSecret\` each request must carry \`X-Hub-Signature: sha256=…\`. To rotate the secret put two lines into its value, the new one first: both are
accepted, the first is given to Bitbucket. When the value is simply replaced, the former one is accepted while the registrar tells Bitbucket
the new one and for half a minute after that, five minutes at most; where hooks are not managed it is refused at once.

**What a replayer can do.** Bitbucket signs the body alone: no time and none of its headers, \`X-Request-Id\` and \`X-Event-Key\` among them. Who has once seen a signed request can send it
again, with another id as another event, for as long as the secret is in use; never another body, and no forged id makes two bodies one. Equal bodies of two deliveries stay
two events, since nothing says that it never sends the same twice. Change the secret when a signed request has been seen by somebody else.

### Pushes

- \`skipBranchRefsChangedOnOpenPR\`: at each change that moves a branch Bitbucket is asked for the commit's pull requests; when one is open, the change is left
  out. A push all of whose changes are left out gives no event. While Bitbucket cannot be asked the answer is 503.
- \`oneEventPerChange\`: each change becomes an event of its own, with the fields that Argo Events knows.

### Answers

| status | body | when |
|---|---|---|
| 200 | \`success\` | all its events are stored, stored before, or filtered out; \`X-Event-Id\` has their ids |
| 400 | \`invalid event\`, \`decoding repo:refs_changed webhook: …\` | the body is not JSON, or no push |
| 401 | \`missing signature\`, \`payload signature check failed\`, … | the signature is not right |
| 405, 413 | | not POST; larger than \`maxPayloadSize\` |
| 503 | | the bus cannot store now, Bitbucket cannot be asked, the secret cannot be read, or the entry is being started or changed; \`Retry-After\` says when to try again |

### What happens when …

| what | then |
|---|---|
| a replica is killed with a request in flight | Bitbucket shows it as failed and does not send it again; whether its event was stored is not known |
| all replicas or the bus are away | what Bitbucket sends meanwhile is lost: it does not send again |
| a proxy in between sends a request again | the same \`X-Request-Id\`: each of its events is stored once |
| one of several events of a push is not stored | the answer is 503, not 200; sent again, only what is missing is stored |
| the hook is deleted or changed at Bitbucket | it is made anew or changed back within \`checkInterval\` |
| Bitbucket's API is away, or the token is wrong | status says so; requests are served all the same |

### What differs from Argo Events

- Signatures are checked whenever \`webhookSecret\` is set (upstream: only where hooks are created), and must begin with \`sha256=\` (or \`sha512=\`).
- \`success\` is answered once (upstream: once more than there are events), and only when all events of a push are stored.
- A push some of whose changes are left out has only the others in its body (upstream: all of them).
- All pages of hooks are listed, so that none is created twice.
- 401 for a wrong signature, 405 for another method, 413 for a large body, 503 when Bitbucket cannot be asked: upstream answers 400, or closes the connection.
- \`skipBranchRefsChangedOnOpenPR\` without \`accessToken\` is found by \`validate\` (upstream crashes on a request).
- Ids come from \`X-Request-Id\`, the body, and the place of the change.
`.trim()

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

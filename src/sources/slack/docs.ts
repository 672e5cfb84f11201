/** The docs page and examples of the type `slack`. */
import type { Example } from '../../source.ts'

export const docs = `
One URL for all that a Slack app sends: set it as the request URL of *Event Subscriptions*, *Interactivity* and *Slash Commands*. **Slack
gets 200 only when the event is durable on the bus.** All replicas serve at the same time. Nothing is registered at Slack.

Every request must carry a right \`X-Slack-Signature\` over its raw bytes, made within five minutes of now. What is refused gets 401 and not a word about why.

A replay of a signed request makes no second event: ids come from the signed body, and what Slack gives no id is known by its signed time and body. What is not signed (other headers, \`Content-Type\` too) does not count.

### Payloads

| Slack sends | payload |
|---|---|
| an event | \`{"type":"app_mention","Data":{…}}\`: \`Data\` is the inner event with the members that slack-go 0.27 knows, in its order, absent ones with their zero value. A \`message\` has a copy of itself under \`message\`, when it has none. Events of types that slack-go does not know are passed on as sent |
| an interaction (button, modal, shortcut…) | the fields of slack-go's \`InteractionCallback\`, all of them, \`state\` last |
| a slash command | \`token\`, \`team_id\`, \`team_domain\`, \`enterprise_id\`?, \`enterprise_name\`?, \`is_enterprise_install\`, \`channel_id\`, \`channel_name\`, \`user_id\`, \`user_name\`, \`command\`, \`text\`, \`response_url\`, \`trigger_id\`, \`api_app_id\` |

Payloads hold the verification \`token\` and \`response_url\` that Slack sends with interactions and commands, as in Argo Events: whoever reads the bus reads them.

### Answers

| status | body | when |
|---|---|---|
| 200 | \`success\` | stored, stored before, filtered out, or an envelope without an event (\`app_rate_limited\`) |
| 200 | the challenge | Slack verifies the URL |
| 200 | | \`ssl_check\` |
| 400 | what is wrong | not JSON, no event in it, a member of another kind than Slack documents, a form that is neither |
| 401 | \`signature validation failed\` | the signature, its time or the token is wrong or missing |
| 405, 413, 415 | | not \`POST\`; larger than \`maxPayloadSize\`; compressed |
| 503 | | the bus cannot store now, or a secret cannot be read |

### What happens when …

| what | then |
|---|---|
| a replica is killed with requests in flight | Slack sends events again (at once, after 1 min, after 5 min); what was stored already is not stored again. Interactions and commands are not repeated: the user sees an error |
| the bus is away | 503 at once; likewise |
| the bus needs longer than 3 s | Slack counts it as failed and sends again; it is stored once |
| the signing secret or the token is rotated | the next request within a second is judged by the new one; the old one is refused. Several, one per line, are all accepted: put both into the value while it is rotated |
| a repeat after the bus's window of ids (24 h embedded, 5 min on JetStream as Argo Events sets it up) | it is stored twice; Slack's last repeat comes after five to six minutes, so give the stream \`duplicateWindow\` ten |

### What differs from Argo Events

- A 401 does not tell the right signature (upstream's does, so that anybody can forge requests).
- The challenge is answered alone (upstream appends \`success\`, and Slack refuses the URL).
- An empty signing secret does not switch the check off.
- \`metadata\` is put into the payload (upstream ignores it).
- Types of events that are not known are published as sent (upstream answers 500, until Slack disables the subscription).
- Blocks are kept as sent (upstream drops members that slack-go does not know).
- A form with a charset in its content type is a form; a request over the size limit is refused, not cut.
- Malformed requests are 400, not 500; a body without an event is no crash.
- Event ids are derived from \`event_id\` or \`trigger_id\` (upstream: random).
`.trim()

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

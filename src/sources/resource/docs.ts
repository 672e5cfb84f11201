/** The prose and the examples of the resource page. */
import type { Example } from '../../source.ts'
import { MOST_REMEMBERED } from '../shared/remembered.ts'

const objects = MOST_REMEMBERED.toLocaleString('en')

export const docs = `
At the very first start every object that is there is told as \`ADD\` (not with \`afterStart\`), and from then on what happens: \`ADD\`, \`UPDATE\`, \`DELETE\`. An object whose labels begin or cease to match \`filter.labels\` is an \`ADD\` or a \`DELETE\`.

The position is the resourceVersion up to which all is told. The next leader asks the API server how all was at that moment and watches from there: nothing is missed, also
deletions, and an \`UPDATE\` has its \`oldBody\`. The API server knows that for some minutes (etcd is compacted every five). After a longer gap the next leader compares what is there with what was last told:
several changes of an object are then one, its \`oldBody\` is \`null\`, and the \`body\` of a \`DELETE\` has the object's name, uid and last resourceVersion alone. Up to ${objects} objects are remembered for that.

\`filter.fields\` are paths as in gjson, made of names and numbers with dots between them (\`\\.\` is a dot in a name); modifiers, queries and wildcards are not supported, and \`validate\` says so.

### Permissions

In a Pod its ServiceAccount (\`spec.template.serviceAccountName\`), elsewhere the kubeconfig of \`KUBECONFIG\` or \`~/.kube/config\`. It needs \`list\` and \`watch\` for the resource, by a Role in \`namespace\`, or a ClusterRole for all of them:

\`\`\`yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: watch-configmaps
rules:
  - apiGroups: [""]
    resources: ["configmaps"]
    verbs: ["list", "watch"]
\`\`\`

## When something fails

| what happens | |
|---|---|
| the serving replica is killed or frozen | the next one goes on at the position: nothing lost, nothing doubled |
| nobody serves for longer than the API server remembers | each object's final state is told once |
| the API server is restarted, the connection breaks | watched again from the position with growing pauses, for ever |
| the connection is silent | bookmarks come each minute; 90 s without a word end it |
| a permission or the CustomResourceDefinition is missing | status names the rule of the Role, or the kind; tried again, for ever |
| the bus takes nothing | the watch waits |
| an object is larger than what the bus takes | counted as skipped and shown |

## What differs from Argo Events

- A new leader does not tell every object as \`ADD\` again, and misses neither updates nor deletions.
- \`operation\` of a field may be left out: \`==\`. There the event is dropped.
- \`afterStart\`: the entry's first start counts, not the Pod's; and objects of the same second are told.
- A deletion that nobody saw has the payload of a deletion. There its \`body\` is \`{"Key":…,"Obj":…}\`, and with a filter it is dropped.
- Whole numbers beyond 2^53 in objects lose digits.
- Event types, operations, selectors and expressions that cannot work are found by \`validate\`.
`.trim()

export const examples: Example[] = [
  {
    name: 'resource',
    title:
      'ConfigMaps of a namespace, with two standbys; needs a kubeconfig, or a ServiceAccount that may list and watch',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: resource
spec:
  replicas: 3
  template:
    # in a cluster: a ServiceAccount with list and watch on configmaps
    serviceAccountName: watch-configmaps
  resource:
    configmaps:
      namespace: default
      group: ""
      version: v1
      resource: configmaps
      eventTypes:
        - ADD
        - UPDATE
        - DELETE
      filter:
        afterStart: true
        labels:
          - key: app
            value: orders
`,
  },
]

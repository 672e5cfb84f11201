/** The prose and the example of the HDFS page. */
import type { Example } from '../../source.ts'

export const docs = `
The tree below \`directory\` is listed every \`checkInterval\`, and the difference to what was last told gives the events. At the very first start everything that is there is CREATE.

| in the tree | event |
|---|---|
| something new | CREATE |
| a file is written, appended or replaced; something comes into or leaves a directory | WRITE of the file, or of the directory |
| something is removed | REMOVE |
| something gets another name (also \`hdfs dfs -put\`, which writes \`x._COPYING_\` and renames it) | REMOVE of the old name, CREATE of the new |
| something is moved to another directory and keeps its name; also all that is below it | RENAME, with the new path |
| permissions change | CHMOD |
| several of the last three | one event with the sum of their numbers, which \`type\` takes when it names one of them |

Name nodes are asked over WebHDFS, which each of them serves (\`dfs.webhdfs.enabled\`, true by default). The RPC addresses of \`addresses\` are mapped to port 9870 of the same host; where it is another port, HTTPS or HttpFS,
write \`webhdfsAddresses\`. Data nodes are not needed.

Of several name nodes the active one is found by asking. A name node that hung while another was made active may go on to answer from the tree as it was then; so each says at \`/jmx\` since when it
is active, and the one that became active last is meant. The others, and observers, are left out, and the log says so. Who is active is asked at the start, every 10 s and whenever one does not answer. Where \`/jmx\` is closed to
the user, fence the old name node (\`dfs.ha.fencing.methods\`), as Hadoop asks for anyway.

HttpFS works as it is. It gives a directory in one piece: one with more than about 250,000 entries (64 MiB) is refused, with a message in status; name nodes give it in pages.

The tree as last told is kept on the bus, compressed: 24 MiB, except on Kafka, where 256 MiB uncompressed are the limit. That is about 600,000 entries with long random names, and more than a million with short ones. A larger tree
tells nothing more: status says how many entries there are, and when there are fewer again, all that changed meanwhile is told. Watch directories below it instead, each as an entry of its own.

## Who asks

| | |
|---|---|
| \`hdfsUser\` | simple authentication. A name node takes what fits its \`dfs.webhdfs.user.provider.user.pattern\`: letters, digits, \`.\`, \`_\`, \`-\` unless it was changed; HttpFS drops what follows an \`@\` or \`/\` |
| \`delegationTokenSecret\` | a delegation token, which goes to the server in the URL, as WebHDFS wants it: use HTTPS. Renewing it is up to whoever made it; a new one in the Secret is taken when the old one is refused |
| \`tls\` | for \`https\` addresses: the authorities, and a certificate of the client where the server asks for one (\`dfs.client.https.need-auth\`) |

## When something fails

| what happens | |
|---|---|
| the serving replica is killed or frozen | the next one looks at once, and tells what nobody told: each entry's final state once |
| a name node is restarted, killed or becomes a standby | the others are asked; then all again with growing pauses, for ever; status says of each what is wrong |
| no name node is active | nothing is told; status says which stand by; afterwards the difference |
| the tree is too large for the bus | nothing is told; status says so |
| the directory is missing, or a part of it may not be read | nothing is told; status says which, and since when; afterwards the difference |
| the cluster wants Kerberos | \`validate\` says that this is not in this version, and the entry is not served |

## What differs from Argo Events

- WebHDFS instead of the name nodes' RPC.
- Changes while nobody serves, or while HDFS cannot be read, are told afterwards, once. There, removals are lost and everything else is told again as CREATE.
- Entries are known by their paths. There, two files of the same name in different directories are told as renamed at every look.
- \`directory\` works with and without a slash at its end; there, \`path\` never matches without it.
- The first look is at once, not after \`checkInterval\`.
- Kerberos is not in this version.
`.trim()

export const examples: Example[] = [
  {
    name: 'hdfs',
    title: 'Files that arrive below a directory of HDFS, and one that is written',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: hdfs
spec:
  replicas: 2
  hdfs:
    arrived:
      directory: /data/in/
      pathRegexp: \\.parquet$
      type: CREATE
      checkInterval: 10s
      addresses:
        - namenode-0.hdfs.svc:8020
        - namenode-1.hdfs.svc:8020
      hdfsUser: events
    report:
      directory: /data/reports/
      path: daily/report.csv
      type: CREATE|WRITE
      addresses:
        - namenode-0.hdfs.svc:8020
      webhdfsAddresses:
        - https://namenode-0.hdfs.svc:9871
      hdfsUser: events
`,
  },
]

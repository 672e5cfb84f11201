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
write \`webhdfsAddresses\`. The name node that is active is found by asking. Data nodes are not needed.

The tree as last told is kept on the bus: up to about 300,000 entries fit.

## When something fails

| what happens | |
|---|---|
| the serving replica is killed or frozen | the next one looks at once, and tells what nobody told: each entry's final state once |
| a name node is restarted or becomes a standby | the others are asked; then all again with growing pauses, for ever |
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

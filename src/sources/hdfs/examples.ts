/** The examples of the type `hdfs`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

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

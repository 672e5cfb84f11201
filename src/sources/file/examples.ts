/** The examples of the type `file`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const example: Example = {
  name: 'file',
  title: 'A CSV file arrives in a directory',
  yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: file
spec:
  replicas: 2
  file:
    arrived:
      eventType: CREATE
      watchPathConfig:
        directory: /tmp/vedette-inbox
        pathRegexp: \\.csv$
      metadata:
        team: billing
`,
}

export const pollingExample: Example = {
  name: 'file-polling',
  title: 'One file on shared storage is written to, found by polling',
  yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: file-polling
spec:
  replicas: 2
  file:
    report:
      eventType: WRITE
      polling: true
      watchPathConfig:
        directory: /tmp/vedette-reports
        path: report.txt
`,
}

/** The examples of the type `mqtt`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

const example = (name: string, title: string, more: string): Example => ({
  name,
  title,
  yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: ${name}
spec:
  replicas: 3
  mqtt:
    sensors:
      url: tcp://localhost:1883
      topic: sensors/+/temperature
      clientId: vedette-${name}
${more}      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
})

export const examples: Example[] = [
  example('mqtt', 'A topic of MQTT, with two hot standbys', ''),
  example('mqtt-qos1', 'A topic of MQTT at least once, by a session that the broker keeps', '      qos: 1\n'),
]

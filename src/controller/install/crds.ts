/** The three CRDs. Group, version, names and scope are upstream's, so that its objects, and its controllers, go on working with them. */
import type { KubeObject, Resource } from '../../kube/resources.ts'
import { apiVersionOf, resources } from '../../kube/resources.ts'
import { eventBusFields } from '../../manifest/eventbus.ts'
import { eventSourceFields } from '../../manifest/eventsource.ts'
import { describeSchema } from '../../manifest/fields.ts'
import type { SourceDefinition } from '../../source.ts'
import { upstreamTypes } from '../../sources/index.ts'
import { object, structural } from './schema.ts'

type Schema = Record<string, unknown>

interface Column {
  name: string
  type: 'string' | 'integer' | 'date'
  jsonPath: string
  description: string
  /** 1: only with `-o wide`. */
  priority?: number
}

/** @param definitions every type of this version */
export function crds(definitions: readonly SourceDefinition<any, any>[]): KubeObject[] {
  return [
    crd(resources.eventsources, 'es', eventSourceSpec(definitions), eventSourceColumns, {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    }),
    crd(resources.eventbus, 'eb', object(describeSchema(eventBusFields).fields!, 'Where events go.'), busColumns),
    crd(resources.sensors, 'sn', object({}, 'See the Argo Events documentation of Sensors.'), sensorColumns),
  ]
}

const column = (
  name: string,
  type: Column['type'],
  jsonPath: string,
  description: string,
  priority?: number,
): Column => ({
  name,
  type,
  jsonPath,
  description,
  ...(priority === undefined ? {} : { priority }),
})

const age = column('Age', 'date', '.metadata.creationTimestamp', 'When it was made.')
const eventSourceColumns = [
  column('Strategy', 'string', '.status.strategy', 'How its replicas share the work.'),
  column('Ready', 'string', '.status.ready', 'Ready replicas of those wanted.'),
  column('Leader', 'string', '.status.leader', 'The replica that serves active-passive entries.'),
  column(
    'Failovers',
    'integer',
    '.status.failovers',
    'How often the lead changed hands, as far as the Lease or the running Pods know.',
  ),
  column('Problem', 'string', '.status.problem', 'The first thing that is wrong.', 1),
  age,
]
const sensorColumns = [
  column('Ready', 'string', '.status.ready', 'Ready replicas of those wanted.'),
  column('Problem', 'string', '.status.problem', 'The first thing that is wrong.', 1),
  age,
]
const busColumns = [
  column('Kind', 'string', '.status.kind', 'The kind of bus.'),
  column('Ready', 'string', '.status.ready', 'Ready servers of those wanted, where it has some of its own.'),
  column('Problem', 'string', '.status.problem', 'The first thing that is wrong.', 1),
  age,
]

function crd(resource: Resource, shortName: string, spec: Schema, columns: Column[], scale?: object): KubeObject {
  const { group, version, kind, plural } = resource
  return {
    apiVersion: apiVersionOf(resources.customresourcedefinitions),
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, shortNames: [shortName], singular: kind.toLowerCase() },
      scope: 'Namespaced',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              required: ['metadata', 'spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                // Upstream's CRD does not take null for the whole.
                spec: { ...spec, nullable: undefined },
                status,
              },
            },
          },
          subresources: { status: {}, ...(scale === undefined ? {} : { scale }) },
          additionalPrinterColumns: columns,
        },
      ],
    },
  }
}

const text = { type: 'string' }
const status = {
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  properties: {
    conditions: {
      type: 'array',
      items: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { type: text, status: text, reason: text, message: text, lastTransitionTime: text },
      },
    },
  },
}

function eventSourceSpec(definitions: readonly SourceDefinition<any, any>[]): Schema {
  const types: [string, Schema][] = upstreamTypes.map((type) => {
    const definition = definitions.find((one) => one.type === type)
    const entry = definition === undefined ? object({}, '') : structural(describeSchema(definition.spec))
    const description = definition?.summary ?? 'Not yet in this version.'
    return [type, { description, type: 'object', nullable: true, additionalProperties: entry }]
  })
  const around = describeSchema(eventSourceFields).fields!
  return object(around, 'What to watch, and how.', Object.fromEntries(types))
}

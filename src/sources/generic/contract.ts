/** The gRPC contract of Argo Events' generic source (proto3): what a server has to implement. */
import type { ServiceDefinition } from '@grpc/grpc-js'

/** The request: the entry's name and its `config`. */
export interface StartRequest {
  name: string
  config: Uint8Array
}

/** One message of the stream. */
export interface StreamedEvent {
  name: string
  payload: Uint8Array
}

const field = (id: number, type: 'string' | 'bytes') => ({ id, type })

/** As protobufjs describes it; the same contract as text stands on the type's docs page. */
const descriptor = {
  nested: {
    generic: {
      nested: {
        EventSource: { fields: { name: field(1, 'string'), config: field(2, 'bytes') } },
        Event: { fields: { name: field(1, 'string'), payload: field(2, 'bytes') } },
        Eventing: {
          methods: {
            StartEventSource: { requestType: 'EventSource', responseType: 'Event', responseStream: true },
          },
        },
      },
    },
  },
}

/** The service, with `/generic.Eventing/StartEventSource` as its only method; for a client and for a server. */
export async function eventingService(): Promise<ServiceDefinition> {
  const { fromJSON } = await import('@grpc/proto-loader')
  // The library's type of a descriptor knows no services.
  const described = descriptor as unknown as Parameters<typeof fromJSON>[0]
  return fromJSON(described, { keepCase: true, defaults: true })['generic.Eventing'] as ServiceDefinition
}

/** The payload of a message, byte for byte as Argo Events makes it. */
import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import { compactJsonBytes, goJson, goJsonOfMap } from '../../core/json.ts'

/** @throws EVENT_INVALID when `jsonBody` is set and the body is not JSON */
export function payloadOf(
  { MessageId, MessageAttributes, Body = '' }: Message,
  { jsonBody, metadata = {} }: { jsonBody: boolean; metadata?: Record<string, string> | undefined },
): Uint8Array {
  const attributes = Object.entries(MessageAttributes ?? {}).map(([name, value]) => [name, attribute(value)] as const)
  const head = `{"messageId":${goJson(MessageId)},"messageAttributes":${attributes.length === 0 ? 'null' : goJson(new Map(attributes))},"body":`
  const body = Buffer.from(Body)
  const tail = Object.keys(metadata).length === 0 ? '}' : `,"metadata":${goJsonOfMap(metadata)}}`
  return Buffer.concat([
    Buffer.from(head),
    jsonBody ? compactJsonBytes(body) : Buffer.from(goJson(body)),
    Buffer.from(tail),
  ])
}

function attribute({ BinaryValue, DataType, StringValue }: MessageAttributeValue): object {
  // The lists are not in use at AWS, and never filled.
  return {
    BinaryListValues: null,
    BinaryValue: BinaryValue ?? null,
    DataType: DataType ?? null,
    StringListValues: null,
    StringValue: StringValue ?? null,
  }
}

/** A message as upstream's payload, member by member. */
import type { protos } from '@google-cloud/pubsub-api'
import { sortedMap } from '../../core/json.ts'
import { goTime } from '../go/time.ts'
import { bodyOrNull, payloadOf } from '../payload/json-body.ts'
import type { PubSubSpec } from './spec.ts'

/** @throws EVENT_INVALID when `jsonBody` is set and the message is not JSON */
export function messagePayload(
  { messageId, data, attributes, publishTime }: protos.google.pubsub.v1.IPubsubMessage,
  { jsonBody, metadata }: Pick<PubSubSpec, 'jsonBody' | 'metadata'>,
): string {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : (data ?? new Uint8Array())
  const given = attributes != null && Object.keys(attributes).length > 0
  return payloadOf(
    {
      id: messageId ?? '',
      // A message of attributes alone has none.
      body: bodyOrNull(bytes, jsonBody),
      attributes: given ? sortedMap(attributes) : null,
      publishTime: goTime(Number(publishTime?.seconds ?? -1), publishTime?.nanos ?? 0),
    },
    metadata,
  )
}

/** Notifications as upstream's payload: decoded into its structs and encoded again. */
import { goJson, RawJson, sortedMap } from '../../core/json.ts'
import { goStructs } from '../go/struct.ts'
import type { Listed } from './s3.ts'

/** minio-go's notification.Event. */
const structs = goStructs({
  Event:
    'eventVersion: string; eventSource: string; awsRegion: string; eventTime: string; eventName: string; userIdentity: Identity; requestParameters: map<string>; responseElements: map<string>; s3: Meta; source: Source',
  Identity: 'principalId: string',
  Meta: 's3SchemaVersion: string; configurationId: string; bucket: Bucket; object: Object',
  Bucket: 'name: string; ownerIdentity: Identity; arn: string',
  Object:
    'key: string; size?: int; eTag?: string; contentType?: string; userMetadata?: map<string>; versionId?: string; sequencer: string',
  Source: 'host: string; port: string; userAgent: string',
})

/** @param records JSON texts, compact @throws EVENT_INVALID when one does not fit */
export function notificationPayload(records: string[], metadata: Record<string, string> | undefined): string {
  const notification = new RawJson(`[${records.map((record) => structs.encode('Event', record)).join(',')}]`)
  const given = metadata !== undefined && Object.keys(metadata).length > 0
  return goJson(given ? { notification, metadata: sortedMap(metadata) } : { notification })
}

/** The record of something that nobody heard of and a listing shows: without who did it, and from where. */
export function madeUpRecord(
  bucket: string,
  name: string,
  { key, modifiedMs, size, eTag }: Partial<Listed> & Pick<Listed, 'key' | 'modifiedMs'>,
): string {
  return JSON.stringify({
    eventVersion: '2.0',
    eventSource: 'minio:s3',
    eventTime: new Date(modifiedMs).toISOString(),
    eventName: name,
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'Config',
      bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` },
      object: { key, size, eTag, sequencer: (BigInt(modifiedMs) * 1_000_000n).toString(16).toUpperCase() },
    },
  })
}

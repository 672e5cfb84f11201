/** The type `storageGrid`: notifications of a bucket of NetApp StorageGRID; they are set up there too. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { webhookListens } from './hooks/webhook-context.ts'
import { bucketNotifications } from './storageGrid/bucket.ts'
import { examples } from './storageGrid/examples.ts'
import { serveStorageGrid } from './storageGrid/serve.ts'
import { isUnsigned, type Spec, spec, validate } from './storageGrid/spec.ts'

const text = (what: string) => z.string().describe(what)
const principal = z.object({ principalId: text('Account.') }).describe('Who did it.')

export default defineSource<Spec>({
  type: 'storageGrid',
  eventType: 'storagegrid',
  title: 'StorageGRID',
  summary: 'Receives the notifications of a bucket of NetApp StorageGRID, and sets them up.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    'StorageGRID gets 200 only when the event is durable and sends again otherwise; the id of the event is made from bucket, key, ' +
    "sequencer and kind, so a repeat is stored once (within the bus's window).",
  ids: 'Bucket, key, sequencer and kind of each change that it tells of, together with the whole notification, so also its endpoint, time and account.',
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: false,
  spec,
  event: z.object({
    notification: z
      .object({
        Action: text('`Publish`.'),
        Message: z
          .object({
            Records: z
              .array(
                z.object({
                  eventVersion: text('Version of the record, e.g. `2.0`.'),
                  storageGridEventSource: text('Where it comes from: `sgws:s3`.'),
                  eventTime: text('RFC 3339.'),
                  eventName: text('e.g. `ObjectCreated:Put`.'),
                  userIdentity: principal,
                  requestParameters: z.object({ sourceIPAddress: text('Address of the client.') }).describe('Request.'),
                  responseElements: z.object({ 'x-amz-request-id': text('Id of the request.') }).describe('Answer.'),
                  s3: z
                    .object({
                      s3SchemaVersion: text('Version.'),
                      configurationId: text('Id of the notification configuration: the name of the entry.'),
                      bucket: z
                        .object({ name: text('Bucket.'), ownerIdentity: principal, arn: text('URN of the bucket.') })
                        .describe('The bucket.'),
                      object: z
                        .object({
                          key: text('Key, as StorageGRID writes it.'),
                          size: z.int().describe('Bytes.'),
                          eTag: text('Entity tag.'),
                          sequencer: text('Grows with each change of the key.'),
                        })
                        .describe('The object.'),
                    })
                    .describe('What happened to which object.'),
                }),
              )
              .describe('One or more changes.'),
          })
          .describe('The S3 event.'),
        TopicArn: text('URN of the endpoint.'),
        Version: text('Version of the API.'),
      })
      .describe('What StorageGRID published.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry, when there is any.'),
  }),
  examples,
  validate,
  listens: ({ webhook }) => webhookListens(webhook),
  unsigned: isUnsigned,
  hooks: bucketNotifications,
  serve: serveStorageGrid,
})

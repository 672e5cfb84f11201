/** Serves what StorageGRID posts, and answers as SNS does. */
import { randomUUID } from 'node:crypto'
import { whenAborted } from '../../core/signals.ts'
import type { HttpAnswer, HttpContext } from '../../source.ts'
import { deliveryId } from '../hooks/request.ts'
import { webhookRoute } from '../hooks/webhook-context.ts'
import { identityOf, keyOf, notificationOf, payloadOf, recordStructs } from './notification.ts'
import type { Spec } from './spec.ts'

export async function serveStorageGrid(ctx: HttpContext<Spec>): Promise<void> {
  const { webhook, filter, metadata } = ctx.spec
  const structs = recordStructs()
  const passes = (record: string): boolean => {
    const key = keyOf(record)
    return filter === undefined || (key.startsWith(filter.prefix) && key.endsWith(filter.suffix))
  }
  await ctx.http({
    ...webhookRoute(webhook!),
    async handle(request) {
      const notification = notificationOf(request.body)
      if (notification === null) return published()
      if (filter !== undefined && !notification.records.some(passes)) return published()
      const data = payloadOf(notification, structs, metadata)
      const key = notification.records.map(identityOf).join('\n')
      const { id } = await ctx.emit({ data, id: deliveryId(key, data) })
      return { ...published(id), headers: { ...XML, 'X-Event-Id': id } }
    },
  })
  await whenAborted(ctx.signal)
}

const XML = { 'Content-Type': 'application/xml' }

/** Upstream's answer, in the shape of https://docs.aws.amazon.com/sns/latest/api/API_Publish.html. @param id 32 hex digits */
function published(id = randomUUID().replaceAll('-', '')): HttpAnswer {
  const uuid = id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  const body = `
<PublishResponse xmlns="http://argoevents-sns-server/">
    <PublishResult> 
        <MessageId>${uuid}</MessageId> 
    </PublishResult> 
    <ResponseMetadata>
       <RequestId>${randomUUID()}</RequestId>
    </ResponseMetadata> 
</PublishResponse>
`
  return { status: 200, body, headers: XML }
}

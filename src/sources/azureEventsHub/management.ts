/** What a hub says of itself over `$management`: the operation `READ`, asked as the official clients do (`ManagementClient` of @azure/event-hubs). */
import { randomUUID } from 'node:crypto'
import { fail } from '../../core/errors.ts'
import type { Claims } from './claims.ts'
import type { HostConnection } from './connection.ts'

export interface HubDescription {
  /** When the hub was made, milliseconds since the epoch: another hub of the same name has another time. */
  created: number
  partitions: string[]
}

/** Sequence numbers. `first` is `last + 1` when the partition is empty; `last` is -1 when it has never had an event. */
export interface PartitionBounds {
  first: number
  last: number
}

export interface Management {
  /** @throws ORIGIN_UNAVAILABLE */
  describe(): Promise<HubDescription>
  /** @throws ORIGIN_UNAVAILABLE */
  partition(id: string): Promise<PartitionBounds>
}

const ADDRESS = '$management'

/** @param hubName of the hub at `hubAddress` @throws ORIGIN_UNAVAILABLE */
export async function openManagement(
  host: HostConnection,
  claims: Claims,
  { hubName, hubAddress }: { hubName: string; hubAddress: string },
): Promise<Management> {
  const { amqp, connection, rhea, step, losing } = host
  const replyTo = randomUUID()
  await claims.authorize(`${hubAddress}/${ADDRESS}`)
  const link = await step((options) =>
    amqp.RequestResponseLink.create(
      connection,
      { target: { address: ADDRESS } },
      { source: { address: ADDRESS }, name: replyTo, target: { address: replyTo } },
      options,
    ),
  )
  const gone = losing('the management link')
  link.sender.on(rhea.SenderEvents.senderClose, ({ sender }) => gone(sender))
  link.receiver.on(rhea.ReceiverEvents.receiverClose, ({ receiver }) => gone(receiver))

  const read = async (type: string, properties: Record<string, string> = {}): Promise<Record<string, unknown>> => {
    const security_token = await claims.token(hubAddress)
    const request = {
      body: Buffer.from('[]'),
      message_id: randomUUID(),
      reply_to: replyTo,
      application_properties: {
        operation: 'READ',
        name: hubName,
        type: `com.microsoft:${type}`,
        security_token,
        ...properties,
      },
    }
    const { body } = await step((options) => link.sendRequest(request, { ...options, requestName: type }))
    return (body ?? {}) as Record<string, unknown>
  }
  const strange = (what: string) =>
    fail('ORIGIN_UNAVAILABLE', `${hubAddress}: the server does not describe ${what} as Event Hubs does`)

  return {
    async describe() {
      const { created_at, partition_ids } = await read('eventhub')
      const created = Number(created_at)
      const partitions = Array.isArray(partition_ids) ? partition_ids.map(String) : []
      const right = partitions.length > 0 && partitions.every((id) => /^\d+$/.test(id))
      if (!right || !Number.isFinite(created)) throw strange('a hub')
      return { created, partitions }
    },
    async partition(id) {
      const found = await read('partition', { partition: id })
      const last = Number(found.last_enqueued_sequence_number)
      const first = found.is_partition_empty === true ? last + 1 : Number(found.begin_sequence_number)
      if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) throw strange(`partition ${id}`)
      return { first, last }
    },
  }
}

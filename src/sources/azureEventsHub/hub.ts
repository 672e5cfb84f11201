/**
 * A hub over one connection: asked, and received from. Not by the consumer of @azure/event-hubs: it grants credit without counting what it
 * granted before, so that a hub which was idle may flood the process (https://github.com/Azure/azure-sdk-for-js/issues/39452).
 */
import { randomUUID } from 'node:crypto'
import type { Message } from 'rhea-promise'
import type { Closable, EntryContext } from '../../source.ts'
import { claimsOn } from './claims.ts'
import { connectionTo } from './connection.ts'
import { type Management, openManagement } from './management.ts'
import type { AzureEventsHubSpec } from './spec.ts'
import { tokensOf } from './tokens.ts'

export interface Hub extends Management, Closable {
  readonly alive: boolean
  /** Rejects when the connection, or a link that is in use, is gone. */
  readonly lost: Promise<never>
  /** Receives what comes after a sequence number (-1: all that is there). @throws ORIGIN_UNAVAILABLE */
  receive(partition: string, options: ReceiveOptions): Promise<Receiving>
}

export interface ReceiveOptions {
  after: number
  /** How many messages may come before {@link Receiving.more} is called. */
  credit: number
  /** What it throws ends the connection. */
  take(message: Message): void
}

export interface Receiving {
  /** So many more messages may come. */
  more(count: number): void
}

/** What upstream reads as. */
const CONSUMER_GROUP = '$Default'
/** The descriptor of `apache.org:selector-filter:string` in the registry of AMQP filters. */
const SELECTOR = 0x468c00000004

/** Connected and authorized. @throws ORIGIN_UNAVAILABLE, SECRET_MISSING; the reason of `ctx.signal` */
export async function connectHub(ctx: EntryContext<AzureEventsHubSpec>): Promise<Hub> {
  const { hubName, fqdn } = ctx.spec
  const host = await connectionTo(ctx)
  const { connection, rhea, ended, lost, lose, step } = host
  const hubAddress = `sb://${fqdn}/${hubName}`
  const stop = () => void host.close()
  ctx.signal.addEventListener('abort', stop, { once: true })
  try {
    ctx.signal.throwIfAborted()
    const claims = claimsOn(host, await tokensOf(ctx, host.amqp), ctx.clock)
    const management = await openManagement(host, claims, { hubName, hubAddress })
    return {
      ...management,
      get alive() {
        return !ended.aborted
      },
      lost,
      async receive(partition, { after, credit, take }) {
        const path = `ConsumerGroups/${CONSUMER_GROUP}/Partitions/${partition}`
        await claims.authorize(`${hubAddress}/${path}`)
        const from =
          after < 0 ? "amqp.annotation.x-opt-offset > '-1'" : `amqp.annotation.x-opt-sequence-number > '${after}'`
        const filter = { 'apache.org:selector-filter:string': rhea.types.wrap_described(from, SELECTOR) }
        const gone = host.losing(`the link to partition ${partition}`)
        const name = `${ctx.eventSource}-${ctx.entry}-${randomUUID()}`
        const receiver = await step(({ abortSignal }) =>
          connection.createReceiver({
            name,
            source: { address: `${hubName}/${path}`, filter },
            target: { address: name },
            credit_window: 0,
            autoaccept: true,
            // Offsets, which are more than numbers in a namespace that is replicated, mean nothing to us.
            desired_capabilities: ['com.microsoft:georeplication'],
            abortSignal,
            onMessage: ({ message }) => {
              if (ended.aborted || message === undefined) return
              try {
                take(message)
              } catch (error) {
                lose(error)
              }
            },
            onError: ({ receiver }) => gone(receiver),
            onClose: ({ receiver }) => gone(receiver),
            onSessionError: ({ session }) => gone(session),
            onSessionClose: ({ session }) => gone(session),
          }),
        )
        receiver.addCredit(credit)
        return { more: (count) => void (receiver.isOpen() && receiver.addCredit(count)) }
      },
      close: host.close,
    }
  } catch (error) {
    await host.close()
    ctx.signal.throwIfAborted()
    throw error
  } finally {
    ctx.signal.removeEventListener('abort', stop)
  }
}

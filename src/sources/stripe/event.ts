/** What Stripe posts (https://docs.stripe.com/api/events/object), and the payload made of it: stripe-go 70's struct, encoded again. */
import { fail } from '../../core/errors.ts'
import { compactJsonBytes, goJsonOfMap } from '../../core/json.ts'
import { scanJson } from '../../core/json-scan.ts'
import { jsonMembers } from '../../core/json-slices.ts'
import { goStructs } from '../go/struct.ts'
import type { From } from '../payload/sender-id.ts'

export interface StripeEvent {
  /** Undefined for a test webhook: Stripe calls all of them the same. */
  id: string | undefined
  type: string
  /** The payload. */
  data: string
  /** JSON of what the event is about, for the id of one that nobody signed. A repeat has it unchanged, unlike `pending_webhooks`. */
  object: string
  /** Whose the event is, of which kind and when, for its id. */
  from: From
}

/** `evt_00000000000000`; in newer versions of the API `charge.succeeded_00000000000000`. */
const TEST_ID = /_0{14}$/

/** Events of API v2 tell what they are about by its name; stripe-go 70 knows none: https://docs.stripe.com/event-destinations#thin-events. */
const THIN = 'v2.core.event'

const STRUCTS = {
  Event:
    'account: string; created: int; data: Data|null; id: string; livemode: bool; pending_webhooks: int; request: Request|null; type: string',
  Data: 'previous_attributes: map<any>; object: raw',
}

export function stripeEvents(metadata: Record<string, string> = {}): (body: Uint8Array) => StripeEvent {
  const structs = goStructs(STRUCTS, (encoderOf) => ({
    // API versions before 2017-05-25 have the id alone.
    Request: (text, at) => {
      const members = new Map(text?.startsWith('{') ? jsonMembers(text) : [['id', text ?? 'null']])
      const encoded = (name: string) => encoderOf('string')(members.get(name), `${at}.${name}`)
      return `{"id":${encoded('id')},"idempotency_key":${encoded('idempotency_key')}}`
    },
  }))
  const tail = Object.keys(metadata).length === 0 ? '}' : `,"metadata":${goJsonOfMap(metadata)}}`

  /** @throws EVENT_INVALID in upstream's words */
  return (body) => {
    if (scanJson(body).error !== null) throw unreadable()
    const json = Buffer.from(compactJsonBytes(body)).toString()
    if (!json.startsWith('{')) throw unreadable()
    const members = new Map(jsonMembers(json))
    const data = members.get('data')
    const object = data?.startsWith('{') ? new Map(jsonMembers(data)).get('object') : undefined
    if (data !== undefined && data !== 'null' && object === undefined) throw unreadable()
    const text = (name: string) => {
      const value = members.get(name)
      return value?.startsWith('"') ? (JSON.parse(value) as string) : ''
    }
    const [id, type] = [text('id'), text('type')]
    if (text('object') === THIN) {
      const from = {
        account: text('context'),
        livemode: members.get('livemode'),
        type,
        created: members.get('created'),
      }
      return { id, type, data: `{"event":${json}${tail}`, object: members.get('related_object') ?? '', from }
    }
    const account = text('account')
    return {
      id: TEST_ID.test(id) ? undefined : id,
      type,
      data: `{"event":${encode(json)}${tail}`,
      object: object ?? '',
      from: { account, livemode: members.get('livemode'), type, created: members.get('created') },
    }
  }

  function encode(json: string): string {
    try {
      return structs.encode('Event', json)
    } catch {
      throw unreadable()
    }
  }
}

const unreadable = () => fail('EVENT_INVALID', 'failed to parse the event')

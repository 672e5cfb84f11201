/** The payloads of the type `slack`: what Slack sends, decoded into slack-go's structs and encoded again. */
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { compactJsonBytes, goJson, goJsonOfMap } from '../../core/json.ts'
import { scanJson } from '../../core/json-scan.ts'
import { jsonItems, jsonMembers } from '../../core/json-slices.ts'
import { type GoEncoder, type GoStructs, goStructs } from '../go/struct.ts'
import type { From } from '../payload/sender-id.ts'
import { EVENTS, STRUCTS } from './types.ts'

export interface SlackPayload {
  data: string
  /** What Slack calls it; undefined when it has no name. */
  key: string | undefined
  /** What it is made of, for the id. */
  of: string
  /** Whose it is, where that does not say it. */
  from?: From
}

/** The outer JSON of the Events API. */
export interface Outer {
  type: string
  challenge: string
  token: string
  eventId: string
  /** The app and the workspace: several apps may have one request URL. */
  app: string
  team: string
  /** The inner event, compact JSON. */
  event: string | undefined
}

/** @throws EVENT_INVALID */
export function outerOf(body: Uint8Array): Outer {
  const members = membersOf(body, 'failed to extract event')
  const text = (name: string) => textIn(members, name)
  return {
    type: text('type'),
    challenge: text('challenge'),
    token: text('token'),
    eventId: text('event_id'),
    app: text('api_app_id'),
    team: text('team_id'),
    event: members.get('event'),
  }
}

function membersOf(body: Uint8Array, what: string): Map<string, string> {
  const { error } = scanJson(body)
  if (error !== null) throw fail('EVENT_INVALID', `${what}, ${error}`)
  const json = Buffer.from(compactJsonBytes(body)).toString()
  if (!json.startsWith('{')) throw fail('EVENT_INVALID', `${what}, it is no JSON object`)
  return new Map(jsonMembers(json))
}

function textIn(members: ReadonlyMap<string, string>, name: string): string {
  const json = members.get(name)
  return json?.startsWith('"') ? (JSON.parse(json) as string) : ''
}

export function slackPayloads(metadata: Record<string, string> = {}) {
  const structs = slackStructs()
  const tail = Object.keys(metadata).length === 0 ? '}' : `,"metadata":${goJsonOfMap(metadata)}}`

  return {
    /** @throws EVENT_INVALID when there is no inner event, or it does not fit its type */
    event({ event, eventId, app, team }: Outer): SlackPayload {
      if (event === undefined || !event.startsWith('{'))
        throw fail('EVENT_INVALID', 'failed to extract event, it has no event')
      const type = textIn(new Map(jsonMembers(event)), 'type')
      const inner = worded('failed to extract event', () => dataOf(structs, type, event))
      return {
        data: `{"type":${goJson(type)},"Data":${inner}${tail}`,
        key: eventId || undefined,
        of: event,
        from: { app, team },
      }
    },
    /** @param json the form field `payload`. @throws EVENT_INVALID */
    interaction(json: string): SlackPayload {
      const members = membersOf(Buffer.from(json), 'failed to parse interaction event')
      const text = `{${[...members].map(([name, value]) => `${goJson(name)}:${value}`).join(',')}}`
      const struct = textIn(members, 'type') === 'block_actions' ? 'BlockActions' : 'Interaction'
      const data = worded('failed to parse interaction event', () => structs.encode(struct, text))
      const [trigger, at] = [textIn(members, 'trigger_id'), textIn(members, 'action_ts')]
      return { data: data.slice(0, -1) + tail, key: trigger === '' ? undefined : `${trigger}/${at}`, of: text }
    },
    command(form: ReadonlyMap<string, string[]>): SlackPayload {
      const field = (name: string) => form.get(name)?.[0] ?? ''
      const optional = (name: string) => (field(name) === '' ? undefined : field(name))
      const data = goJson({
        token: field('token'),
        team_id: field('team_id'),
        team_domain: field('team_domain'),
        enterprise_id: optional('enterprise_id'),
        enterprise_name: optional('enterprise_name'),
        is_enterprise_install: field('is_enterprise_install') === 'true',
        channel_id: field('channel_id'),
        channel_name: field('channel_name'),
        user_id: field('user_id'),
        user_name: field('user_name'),
        command: field('command'),
        text: field('text'),
        response_url: field('response_url'),
        trigger_id: field('trigger_id'),
        api_app_id: field('api_app_id'),
      })
      return { data: data.slice(0, -1) + tail, key: field('trigger_id') || undefined, of: data }
    },
  }
}

/** Types that slack-go does not know are passed on as they are. */
function dataOf(structs: GoStructs, type: string, event: string): string {
  if (!Object.hasOwn(EVENTS, type)) return event
  if (type !== 'message') return structs.encode(type, event)
  // slack-go gives a plain message a copy of itself.
  const has = new Map(jsonMembers(event)).get('message') ?? 'null'
  return structs.encode(type, has === 'null' ? `${event.slice(0, -1)},"message":${event}}` : event)
}

function worded(what: string, work: () => string): string {
  try {
    return work()
  } catch (error) {
    if (isVedetteError(error, 'EVENT_INVALID') || error instanceof RangeError)
      throw fail('EVENT_INVALID', `${what}, ${messageOf(error)}`)
    throw error
  }
}

/** The structs, and what slack-go decodes in its own way. */
function slackStructs(): GoStructs {
  const table = {
    ...EVENTS,
    ...STRUCTS,
    BlockActions: STRUCTS.Interaction!.replace(/state\?: raw$/, 'state: BlockState'),
  }
  return goStructs(table, (encoderOf) => ({
    // Blocks are kept as they are: slack-go drops what it does not know of them.
    Blocks: (text, at) => (text === undefined || EMPTY_BLOCKS.has(text) ? 'null' : encoderOf('raw[]')(text, at)),
    SlackResponseErrors: (text) => text ?? 'null',
    UserProfileCustomFields: (text, at) =>
      text === undefined || text === '[]' || text === 'null' ? '{}' : encoderOf('map<CustomField>')(text, at),
    ActionCallbacks: actions(encoderOf),
    BlockState: (text, at) => (text === undefined || text === 'null' ? '{}' : encoderOf('ViewState')(text, at)),
  }))
}

const EMPTY_BLOCKS: ReadonlySet<string> = new Set(['{}', '[]', 'null'])

/** Those of attachments first, then those of blocks. */
const actions =
  (encoderOf: (type: string) => GoEncoder): GoEncoder =>
  (text, at) => {
    const items = text?.startsWith('[') ? jsonItems(text) : []
    const isBlock = (item: string) =>
      item.startsWith('{') && (new Map(jsonMembers(item)).get('block_id') ?? '').startsWith('"')
    const encoded = (type: string, some: string[]) => some.map((item) => encoderOf(type)(item, `${at}.${type}`))
    const attachments = encoded(
      'AttachmentAction',
      items.filter((item) => !isBlock(item)),
    )
    return `[${[...attachments, ...encoded('BlockAction', items.filter(isBlock))].join(',')}]`
  }

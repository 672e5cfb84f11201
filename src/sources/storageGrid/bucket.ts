/** The bucket's notifications at StorageGRID, by its Tenant Management API ("endpoints", "containers"). */
import { fail } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { EntryContext, Hook, HookRegistration, HookTarget } from '../../source.ts'
import { restTls, sameSet } from '../hooks/fields.ts'
import { hookUrl } from '../hooks/request.ts'
import { apiBase } from '../http/base-url.ts'
import { createRest, type Rest } from '../http/rest.ts'
import type { Spec } from './spec.ts'

/** One `TopicConfiguration` of the bucket; its `Id` is the entry's name. */
interface Configuration extends Hook {
  topic: string
  events: string[]
  /** The element as it stands. */
  xml: string
}

export async function bucketNotifications({ spec, ...ctx }: EntryContext<Spec>): Promise<HookRegistration | null> {
  if (spec.webhook === undefined || spec.webhook.url === '') return null
  const { topicArn, bucket, events = [], webhook } = spec
  const url = hookUrl(webhook)
  return {
    wanted: { url, topicArn, bucket, events },
    removeOnDelete: true,
    async targets(signal) {
      const rest = await createRest({
        base: apiBase(spec.apiURL, '/api/v3', /\/api\/v\d+$/),
        headers: { authorization: `Bearer ${await sentSecret(ctx, spec.authToken!)}` },
        clock: ctx.clock,
        tls: await restTls(ctx, spec.tls),
      })
      await ensureEndpoint({ rest, name: ctx.entry, url, urn: topicArn, log: ctx.log }, signal)
      return [target(rest, bucket, { id: ctx.entry, topic: topicArn, events })]
    },
  }
}

function target(rest: Rest, bucket: string, wanted: Omit<Configuration, 'xml'>): HookTarget<Configuration> {
  const { id: ours, topic, events } = wanted
  const path = `/org/containers/${encodeURIComponent(bucket)}/notification`
  const xml = topicConfiguration(wanted)
  const list = async (signal: AbortSignal) => configurationsOf(await read(rest, path, signal))
  /** Writes the bucket's whole configuration: what others have there, and perhaps ours. */
  const write = async (mine: string[], signal: AbortSignal): Promise<void> => {
    const others = (await list(signal)).filter(({ id }) => id !== ours)
    await rest.call('PUT', path, signal, { notification: document([...others.map((other) => other.xml), ...mine]) })
  }
  return {
    name: `bucket/${bucket}`,
    list,
    isOurs: ({ id }) => id === ours,
    isCurrent: (hook) => hook.topic === topic && sameSet(hook.events, events),
    async create(signal) {
      await write([xml], signal)
      return { hook: { ...wanted, xml } }
    },
    update: (_, signal) => write([xml], signal),
    delete: (_, signal) => write([], signal),
  }
}

/** The endpoint of the tenant that the URN names is where StorageGRID posts to. One that is there is left as it is, as upstream does. */
async function ensureEndpoint(
  { rest, name, url, urn, log }: { rest: Rest; name: string; url: string; urn: string; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { body } = await rest.call('GET', '/org/endpoints', signal)
  const found = (body?.data ?? []).find((endpoint: any) => endpoint?.endpointURN === urn)
  if (found !== undefined) {
    if (found.endpointURI !== url) log.debug('the endpoint has another URI; it is left so', { uri: found.endpointURI })
    return
  }
  const endpoint = { displayName: name, endpointURI: url, endpointURN: urn, authType: 'anonymous', insecureTLS: true }
  await rest.call('POST', '/org/endpoints', signal, endpoint)
  log.info('endpoint is made', { urn })
}

/** The configuration's XML; empty when the bucket has none. */
async function read(rest: Rest, path: string, signal: AbortSignal): Promise<string> {
  const { body } = await rest.call('GET', path, signal)
  const xml: unknown = body?.data?.notification ?? ''
  if (typeof xml !== 'string') throw fail('ORIGIN_UNAVAILABLE', 'the notification configuration is no text')
  return xml
}

/** @throws ORIGIN_UNAVAILABLE when there is something in it that would be lost by writing it back */
export function configurationsOf(xml: string): Configuration[] {
  const found = [...xml.matchAll(/<TopicConfiguration>([\s\S]*?)<\/TopicConfiguration>/g)]
  const rest = found.reduce((text, [element]) => text.replace(element, ''), xml)
  if (/<\w+Configuration>/.test(rest.replace(/<\/?NotificationConfiguration[^>]*>/g, ''))) {
    throw fail(
      'ORIGIN_UNAVAILABLE',
      'the bucket has notifications of a kind that is not known here: they would be lost',
    )
  }
  return found.map(([element, inner = '']) => {
    const values = (name: string) =>
      [...inner.matchAll(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`, 'g'))].map(([, text = '']) =>
        unescapeXml(text.trim()),
      )
    return { id: values('Id')[0] ?? '', topic: values('Topic')[0] ?? '', events: values('Event'), xml: element }
  })
}

function topicConfiguration({ id, topic, events }: Omit<Configuration, 'xml'>): string {
  const list = events.map((event) => `<Event>${escapeXml(event)}</Event>`).join('\n')
  return `<TopicConfiguration>\n\t  <Id>${escapeXml(id)}</Id>\n\t  <Topic>${escapeXml(topic)}</Topic>\n\t  ${list}\n\t</TopicConfiguration>`
}

/** Upstream's text, byte for byte, when ours is the only one. */
function document(configurations: readonly string[]): string {
  return `\n<NotificationConfiguration>\n\t${configurations.join('\n\t')}\n</NotificationConfiguration>\n\n`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}
const escapeXml = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c]!)
const unescapeXml = (text: string): string =>
  text.replace(/&(?:amp|lt|gt|quot|apos);/g, (entity) => Object.keys(ENTITIES).find((c) => ENTITIES[c] === entity)!)

/** The hooks at GitHub (REST API v3, "Repository webhooks" and "Organization webhooks"). */
import type { Clock } from '../../core/clock.ts'
import { providerSecret } from '../../source/secrets.ts'
import type { EntryContext, Hook, HookRegistration, HookTarget } from '../../source.ts'
import { sameSet } from '../hooks/fields.ts'
import { hookUrl } from '../hooks/request.ts'
import { connect, type GithubApi } from './api.ts'
import { managesHooks, repositoriesOf, type Spec } from './spec.ts'

/** What GitHub lists, as far as we look at it. */
interface GithubHook extends Hook {
  url: string
  events: string[]
  active: boolean
  contentType: string
  insecure: boolean
}

/** The hook as it is written. */
interface Wanted {
  config: { url: string; content_type?: 'json' | 'form'; insecure_ssl: '0' | '1'; secret?: string }
  events: string[]
  active: boolean
}

/** @throws SECRET_MISSING */
export async function githubHooks(ctx: EntryContext<Spec>): Promise<HookRegistration | null> {
  const { spec } = ctx
  if (!managesHooks(spec)) return null
  const secret = await providerSecret(ctx, spec.webhookSecret)
  const wanted: Wanted = {
    config: {
      url: hookUrl(spec.webhook!),
      insecure_ssl: spec.insecure ? '1' : '0',
      ...(spec.contentType === '' ? {} : { content_type: spec.contentType as 'json' | 'form' }),
      ...(secret === undefined ? {} : { secret }),
    },
    events: spec.events,
    active: spec.active,
  }
  return {
    wanted,
    removeOnDelete: spec.deleteHookOnFinish,
    async targets(signal) {
      const api = await connect(ctx, signal)
      const organizations = (spec.organizations ?? []).map((org) => ['orgs', org])
      const repositories = (repositoriesOf(spec) ?? []).map(({ owner, name }) => ['repos', owner, name])
      return [...organizations, ...repositories].map((place) => target(api, wanted, place, ctx.clock))
    },
  }
}

/** @param place the parts of its path */
function target({ call, pages }: GithubApi, wanted: Wanted, place: string[], clock: Clock): HookTarget<GithubHook> {
  const path = `/${place.map(encodeURIComponent).join('/')}/hooks`
  return {
    name: place.join('/'),
    list: async (signal) => (await pages(`${path}?per_page=100`, signal)).map(hookOf),
    isOurs: (hook) => hook.url === wanted.config.url,
    isCurrent: (hook) =>
      hook.url === wanted.config.url &&
      sameEvents(hook.events, wanted.events) &&
      hook.active === wanted.active &&
      hook.contentType === (wanted.config.content_type ?? 'form') &&
      hook.insecure === (wanted.config.insecure_ssl === '1'),
    create: async (signal) => ({ hook: hookOf(await call('POST', path, signal, { name: 'web', ...wanted })) }),
    update: (hook, signal) => call('PATCH', `${path}/${hook.id}`, signal, wanted),
    async delete(hook, signal) {
      try {
        await call('DELETE', `${path}/${hook.id}`, signal)
      } catch (error) {
        if ((error as { details?: { status?: number } }).details?.status !== 404) throw error
      }
    },
    async recover({ id }, signal) {
      const since = clock.now() - RECOVER_MS
      const tooOld = (page: any[]) => page.some(({ delivered_at }) => Date.parse(delivered_at) < since)
      const deliveries = `${path}/${id}/deliveries`
      const lost = undelivered(await pages(`${deliveries}?per_page=100`, signal, tooOld), clock.now())
      for (const delivery of lost) await call('POST', `${deliveries}/${delivery}/attempts`, signal)
      return lost.length
    },
  }
}

/** How far back failed deliveries are looked for; GitHub keeps them for three days. */
const RECOVER_MS = 3_600_000
/** An attempt that is younger may still be under way. */
const SETTLED_MS = 15_000
const MOST_ATTEMPTS = 20

/** The latest attempt of each delivery that nobody took, oldest first. What was refused for good (4xx) is not among them. */
export function undelivered(
  attempts: readonly { id: number; guid: string; delivered_at: string; status_code: number }[],
  nowMs: number,
): number[] {
  const byGuid = Map.groupBy(attempts, ({ guid }) => guid)
  const lost: { id: number; atMs: number }[] = []
  for (const tries of byGuid.values()) {
    const last = tries.reduce((a, b) => (Date.parse(b.delivered_at) > Date.parse(a.delivered_at) ? b : a))
    const atMs = Date.parse(last.delivered_at)
    const final = tries.some(
      ({ status_code: status }) => (status >= 200 && status < 300) || (status >= 400 && status < 500),
    )
    if (!final && tries.length < MOST_ATTEMPTS && nowMs - atMs > SETTLED_MS && nowMs - atMs < RECOVER_MS) {
      lost.push({ id: last.id, atMs })
    }
  }
  return lost.sort((a, b) => a.atMs - b.atMs).map(({ id }) => id)
}

function hookOf(listed: any): GithubHook {
  const { id, created_at, config = {}, events = [], active } = listed ?? {}
  const createdMs = Date.parse(created_at)
  return {
    id: String(id),
    ...(Number.isNaN(createdMs) ? {} : { createdMs }),
    url: String(config.url ?? ''),
    events: events.map(String),
    active: active === true,
    contentType: String(config.content_type ?? 'form'),
    insecure: String(config.insecure_ssl ?? '0') === '1',
  }
}

/** Upstream's rule: the same sets, or both have `*`. */
function sameEvents(a: readonly string[], b: readonly string[]): boolean {
  return (a.includes('*') && b.includes('*')) || sameSet(a, b)
}

/** The hooks at GitHub (REST API v3, "Repository webhooks" and "Organization webhooks"), through @octokit/rest. */
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf } from '../../core/errors.ts'
import { providerSecret, sentSecret } from '../../source/secrets.ts'
import type { Hook, HookRegistration, HookTarget, PrepareContext } from '../../source.ts'
import { sameSet } from '../hooks/fields.ts'
import { hookUrl } from '../hooks/request.ts'
import { originError } from '../http/rest.ts'
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
export async function githubHooks(ctx: PrepareContext<Spec>): Promise<HookRegistration | null> {
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
    async targets() {
      const api = await connect(ctx)
      const organizations = (spec.organizations ?? []).map((org) => ({
        path: '/orgs/{org}/hooks',
        name: `orgs/${org}`,
        at: { org },
      }))
      const repositories = (repositoriesOf(spec) ?? []).map(({ owner, name }) => ({
        path: '/repos/{owner}/{repo}/hooks',
        name: `repos/${owner}/${name}`,
        at: { owner, repo: name },
      }))
      return [...organizations, ...repositories].map((place) => target(api, wanted, place, ctx.clock))
    },
  }
}

interface Place {
  /** Route of the list of hooks. */
  path: string
  name: string
  /** Values for the route. */
  at: Record<string, string>
}

type Call<T> = (route: string, signal: AbortSignal, parameters: Record<string, unknown>) => Promise<T>

interface Api {
  call: Call<any>
  /** All pages of a list, until `enough` says so of a page. */
  pages(...args: [...Parameters<Call<any>>, enough?: (page: any[]) => boolean]): Promise<any[]>
}

function target({ call, pages }: Api, wanted: Wanted, { path, name, at }: Place, clock: Clock): HookTarget<GithubHook> {
  const one = `${path}/{hook_id}`
  return {
    name,
    async list(signal) {
      const found: any[] = await pages(`GET ${path}`, signal, { ...at, per_page: 100 })
      return found.map(hookOf)
    },
    isOurs: (hook) => hook.url === wanted.config.url,
    isCurrent: (hook) =>
      hook.url === wanted.config.url &&
      sameEvents(hook.events, wanted.events) &&
      hook.active === wanted.active &&
      hook.contentType === (wanted.config.content_type ?? 'form') &&
      hook.insecure === (wanted.config.insecure_ssl === '1'),
    create: async (signal) => ({ hook: hookOf(await call(`POST ${path}`, signal, { ...at, name: 'web', ...wanted })) }),
    update: (hook, signal) => call(`PATCH ${one}`, signal, { ...at, hook_id: hook.id, ...wanted }),
    async delete(hook, signal) {
      try {
        await call(`DELETE ${one}`, signal, { ...at, hook_id: hook.id })
      } catch (error) {
        if ((error as { details?: { status?: number } }).details?.status !== 404) throw error
      }
    },
    async recover({ id: hook_id }, signal) {
      const since = clock.now() - RECOVER_MS
      const tooOld = (page: any[]) => page.some(({ delivered_at }) => Date.parse(delivered_at) < since)
      const recent = await pages(`GET ${one}/deliveries`, signal, { ...at, hook_id, per_page: 100 }, tooOld)
      const lost = undelivered(recent, clock.now())
      for (const delivery_id of lost) {
        await call(`POST ${one}/deliveries/{delivery_id}/attempts`, signal, { ...at, hook_id, delivery_id })
      }
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

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Loads the client library and authenticates. @throws SECRET_MISSING, SPEC_INVALID */
async function connect(ctx: PrepareContext<Spec>): Promise<Api> {
  const { spec, clock } = ctx
  const { Octokit } = await import('@octokit/rest')
  const baseUrl = spec.githubBaseURL === '' ? 'https://api.github.com' : spec.githubBaseURL.replace(/\/+$/, '')
  if (!URL.canParse(baseUrl)) throw fail('SPEC_INVALID', `githubBaseURL ${JSON.stringify(baseUrl)} is no URL`)
  const octokit = new Octokit({ baseUrl, userAgent: 'vedette', log: silent, ...(await credentials(ctx)) })
  const { host } = new URL(baseUrl)
  const guarded = async <T>(
    signal: AbortSignal,
    work: (request: { signal: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    try {
      return await work({ signal })
    } catch (error) {
      signal.throwIfAborted()
      throw asOriginError(error, host, clock)
    }
  }
  const { origin } = new URL(baseUrl)
  return {
    call: (route, signal, parameters) =>
      guarded(signal, async (request) => (await octokit.request(route, { ...parameters, request })).data),
    // Not octokit.paginate: it drops the signal.
    pages: (route, signal, parameters, enough) =>
      guarded(signal, async (request) => {
        const all: any[] = []
        let next: string | null = route
        let given: Record<string, unknown> = parameters
        while (next !== null) {
          const page: { data: any[]; headers: { link?: string } } = await octokit.request(next, { ...given, request })
          all.push(...page.data)
          next = enough?.(page.data) ? null : nextPage(page.headers.link, origin)
          given = {}
        }
        return all
      }),
  }
}

/** The route of the next page (RFC 8288); the token goes to no other origin, wherever a link points. */
function nextPage(link: string | undefined, origin: string): string | null {
  const url = /<([^>]+)>;\s*rel="next"/.exec(link ?? '')?.[1]
  return url !== undefined && URL.canParse(url) && new URL(url).origin === origin ? `GET ${url}` : null
}

async function credentials(ctx: PrepareContext<Spec>): Promise<object> {
  const { apiToken, githubApp } = ctx.spec
  if (apiToken !== undefined) return { auth: await sentSecret(ctx, apiToken) }
  const { createAppAuth } = await import('@octokit/auth-app')
  const { appID: appId, installationID: installationId } = githubApp!
  const privateKey = await ctx.secret(githubApp!.privateKey!)
  return { authStrategy: createAppAuth, auth: { appId, installationId, privateKey } }
}

/** Octokit's RequestError has the status and the headers; anything else never reached GitHub. */
function asOriginError(error: unknown, host: string, clock: Clock): Error {
  const { status, response } = error as { status?: number; response?: { headers?: Record<string, string>; data?: any } }
  if (status === undefined || response === undefined) {
    return fail('ORIGIN_UNAVAILABLE', `${host} does not answer: ${messageOf(error)}`, {}, { cause: error })
  }
  const message = typeof response.data?.message === 'string' ? response.data.message.slice(0, 300) : ''
  return originError({ host, status, message, header: (name) => response.headers?.[name], nowMs: clock.now() })
}

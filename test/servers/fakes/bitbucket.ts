/**
 * Bitbucket Cloud's REST API as far as hooks go (developer.atlassian.com, "Webhooks" of repositories): 10 items a page with `next`;
 * uuids in braces; the secret is never shown, only that it is there.
 */
import { randomUUID } from 'node:crypto'
import { type Answer, type Asked, type FakeApi, startFakeApi } from './api.ts'

export interface BitbucketHook {
  uuid: string
  url: string
  description: string
  active: boolean
  events: string[]
  created_at: string
  secret?: string | null
}

export interface FakeBitbucket extends FakeApi {
  /** Hooks by repository, `acme/shop`. */
  readonly hooks: Map<string, BitbucketHook[]>
}

export async function startFakeBitbucket({ token = 'good' }: { token?: string } = {}): Promise<FakeBitbucket> {
  const hooks = new Map<string, BitbucketHook[]>()
  const basic = `Basic ${Buffer.from(`user:${token}`).toString('base64')}`
  const guarded =
    (handler: (asked: Asked, params: Record<string, string>) => Answer) =>
    (asked: Asked, params: Record<string, string>) =>
      [`Bearer ${token}`, basic].includes(String(asked.headers.authorization))
        ? handler(asked, params)
        : {
            status: 401,
            body: { type: 'error', error: { message: 'Token is invalid or not supported for this endpoint.' } },
          }
  const at = ({ owner, slug }: Record<string, string>): BitbucketHook[] => {
    const found = hooks.get(`${owner}/${slug}`) ?? []
    hooks.set(`${owner}/${slug}`, found)
    return found
  }
  const shown = ({ secret, ...hook }: BitbucketHook) => ({
    ...hook,
    type: 'webhook_subscription',
    secret_set: secret != null,
  })
  const missing: Answer = { status: 404, body: { type: 'error', error: { message: 'Resource not found' } } }
  const path = '/repositories/:owner/:slug/hooks'
  const api: FakeApi = await startFakeApi({
    [`GET ${path}`]: guarded(({ query, path }, params) => {
      const all = at(params)
      const page = Number(query.get('page') ?? 1)
      const pagelen = Math.min(100, Number(query.get('pagelen') ?? 10))
      const values = all.slice((page - 1) * pagelen, page * pagelen).map(shown)
      const next = page * pagelen < all.length ? { next: `${api.url}${path}?pagelen=${pagelen}&page=${page + 1}` } : {}
      return { status: 200, body: { values, page, pagelen, size: all.length, ...next } }
    }),
    [`POST ${path}`]: guarded(({ body }, params) => {
      const hook: BitbucketHook = { ...body, uuid: `{${randomUUID()}}`, created_at: new Date().toISOString() }
      at(params).push(hook)
      return { status: 201, body: shown(hook) }
    }),
    [`PUT ${path}/:uuid`]: guarded(({ body }, params) => {
      const hook = at(params).find(({ uuid }) => uuid === params.uuid)
      if (hook === undefined) return missing
      Object.assign(hook, body)
      return { status: 200, body: shown(hook) }
    }),
    [`DELETE ${path}/:uuid`]: guarded((_, params) => {
      const all = at(params)
      const index = all.findIndex(({ uuid }) => uuid === params.uuid)
      if (index < 0) return missing
      all.splice(index, 1)
      return { status: 204 }
    }),
  })
  return Object.assign(api, { hooks })
}

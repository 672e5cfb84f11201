/**
 * GitLab's REST API as far as hooks go (docs.gitlab.com/api/project_webhooks, group_webhooks): 20 items a page, `X-Next-Page`; tokens
 * are never shown, only that they are there; any number of hooks with one URL.
 */
import { type Answer, type Asked, type FakeApi, pageOf, startFakeApi } from './api.ts'

export interface GitlabHook extends Record<string, unknown> {
  id: number
  url: string
  created_at: string
}

export interface FakeGitlab extends FakeApi {
  /** Hooks by place, `projects/acme/shop` or `groups/acme`; with the tokens as they were given. */
  readonly hooks: Map<string, GitlabHook[]>
}

export async function startFakeGitlab({ token = 'good' }: { token?: string } = {}): Promise<FakeGitlab> {
  const hooks = new Map<string, GitlabHook[]>()
  let ids = 1000
  const guarded =
    (handler: (asked: Asked, params: Record<string, string>) => Answer) =>
    (asked: Asked, params: Record<string, string>) =>
      asked.headers['private-token'] === token
        ? handler(asked, params)
        : { status: 401, body: { message: '401 Unauthorized' } }
  const at = (place: string): GitlabHook[] => {
    const found = hooks.get(place) ?? []
    hooks.set(place, found)
    return found
  }
  const shown = ({ token, signing_token, ...hook }: GitlabHook) => ({
    alert_status: 'executable',
    ...hook,
    token_present: token !== undefined,
    signing_token_present: signing_token !== undefined,
  })
  const missing: Answer = { status: 404, body: { message: '404 Not found' } }
  const of = (kind: string) => ({
    [`GET /api/v4/${kind}/:id/hooks`]: guarded(({ query }, { id }) => {
      const { items, page, more } = pageOf(at(`${kind}/${id}`), query, 20)
      return { status: 200, body: items.map(shown), headers: { 'x-next-page': more ? String(page + 1) : '' } }
    }),
    [`POST /api/v4/${kind}/:id/hooks`]: guarded(({ body }, { id }) => {
      if (typeof body.url !== 'string') return { status: 400, body: { error: 'url is missing' } }
      const hook: GitlabHook = { push_events: true, ...body, id: ids++, created_at: new Date().toISOString() }
      at(`${kind}/${id}`).push(hook)
      return { status: 201, body: shown(hook) }
    }),
    [`PUT /api/v4/${kind}/:id/hooks/:hook`]: guarded(({ body }, params) => {
      const hook = at(`${kind}/${params.id}`).find(({ id }) => id === Number(params.hook))
      if (hook === undefined) return missing
      Object.assign(hook, body)
      return { status: 200, body: shown(hook) }
    }),
    [`DELETE /api/v4/${kind}/:id/hooks/:hook`]: guarded((_, params) => {
      const all = at(`${kind}/${params.id}`)
      const index = all.findIndex(({ id }) => id === Number(params.hook))
      if (index < 0) return missing
      all.splice(index, 1)
      return { status: 204 }
    }),
  })
  const api = await startFakeApi({ ...of('projects'), ...of('groups') })
  return Object.assign(api, { hooks })
}

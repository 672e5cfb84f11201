/**
 * Bitbucket Data Center's REST API 1.0 as far as we use it (developer.atlassian.com/server/bitbucket/rest): repositories of a project,
 * webhooks of a repository, pull requests of a commit. Lists have `isLastPage` and `nextPageStart`, 25 items a page at most here.
 */
import { type Answer, type Asked, type FakeApi, startFakeApi } from './api.ts'

export interface ServerHook {
  id: number
  name: string
  createdDate: number
  events: string[]
  configuration: { secret?: string }
  url: string
  active: boolean
}

export interface FakeBitbucketServer extends FakeApi {
  /** Hooks by repository, `SHOP/orders`. */
  readonly hooks: Map<string, ServerHook[]>
  /** Slugs by project. */
  readonly repositories: Map<string, string[]>
  /** States of pull requests by commit. */
  readonly pullRequests: Map<string, string[]>
}

const MOST_PER_PAGE = 25

export async function startFakeBitbucketServer({
  token = 'good',
}: {
  token?: string
} = {}): Promise<FakeBitbucketServer> {
  const hooks = new Map<string, ServerHook[]>()
  const repositories = new Map<string, string[]>()
  const pullRequests = new Map<string, string[]>()
  let ids = 1000
  const guarded =
    (handler: (asked: Asked, params: Record<string, string>) => Answer) =>
    (asked: Asked, params: Record<string, string>) => {
      const { authorization, 'x-atlassian-token': xsrf } = asked.headers
      if (authorization !== `Bearer ${token}`) {
        return { status: 401, body: { errors: [{ message: 'Authentication failed.' }] } }
      }
      if (asked.method !== 'GET' && xsrf !== 'no-check')
        return { status: 403, body: { errors: [{ message: 'XSRF check failed' }] } }
      return handler(asked, params)
    }
  const at = ({ project, repo }: Record<string, string>): ServerHook[] => {
    const found = hooks.get(`${project}/${repo}`) ?? []
    hooks.set(`${project}/${repo}`, found)
    return found
  }
  const paged = (all: unknown[], query: URLSearchParams): Answer => {
    const start = Number(query.get('start') ?? 0)
    const limit = Math.min(MOST_PER_PAGE, Number(query.get('limit') ?? MOST_PER_PAGE))
    const isLastPage = start + limit >= all.length
    const values = all.slice(start, start + limit)
    return {
      status: 200,
      body: { size: values.length, limit, isLastPage, values, start, nextPageStart: isLastPage ? null : start + limit },
    }
  }
  const missing: Answer = { status: 404, body: { errors: [{ message: 'Webhook does not exist.' }] } }
  const repo = '/rest/api/1.0/projects/:project/repos/:repo'
  const api = await startFakeApi({
    'GET /rest/api/1.0/projects/:project/repos': guarded(({ query }, { project }) =>
      paged(
        (repositories.get(project!) ?? []).map((slug) => ({ slug })),
        query,
      ),
    ),
    [`GET ${repo}/webhooks`]: guarded(({ query }, params) => paged(at(params), query)),
    [`POST ${repo}/webhooks`]: guarded(({ body }, params) => {
      const hook: ServerHook = { configuration: {}, ...body, id: ids++, createdDate: Date.now() }
      at(params).push(hook)
      return { status: 201, body: hook }
    }),
    [`PUT ${repo}/webhooks/:id`]: guarded(({ body }, params) => {
      const hook = at(params).find(({ id }) => id === Number(params.id))
      if (hook === undefined) return missing
      Object.assign(hook, body)
      return { status: 200, body: hook }
    }),
    [`DELETE ${repo}/webhooks/:id`]: guarded((_, params) => {
      const all = at(params)
      const index = all.findIndex(({ id }) => id === Number(params.id))
      if (index < 0) return missing
      all.splice(index, 1)
      return { status: 204 }
    }),
    [`GET ${repo}/commits/:commit/pull-requests`]: guarded(({ query }, { commit }) =>
      paged(
        (pullRequests.get(commit!) ?? []).map((state) => ({ state })),
        query,
      ),
    ),
  })
  return Object.assign(api, { hooks, repositories, pullRequests })
}

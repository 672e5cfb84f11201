/**
 * GitHub's REST API as far as hooks go, below /api/v3 as Enterprise Server has it: "Repository webhooks", "Organization webhooks", "GitHub Apps" (docs.github.com/rest). Lists
 * have 30 items a page and a Link header; a second hook with the same configuration is 422; secrets are never shown.
 */
import { createPublicKey, verify } from 'node:crypto'
import { type Answer, type Asked, type FakeApi, pageOf, startFakeApi } from './api.ts'

export interface GithubHook {
  id: number
  name: string
  active: boolean
  events: string[]
  /** With the secret as it was given. */
  config: { url: string; content_type?: string; insecure_ssl?: string; secret?: string }
  created_at: string
}

export interface Attempt {
  id: number
  guid: string
  delivered_at: string
  redelivery: boolean
  status_code: number
}

export interface FakeGithub extends FakeApi {
  /** Hooks by place, `repos/acme/shop` or `orgs/acme`. */
  readonly hooks: Map<string, GithubHook[]>
  /** Attempts to deliver, newest first. */
  readonly attempts: Attempt[]
  /** Tells that a delivery is to be made again. */
  onRedelivery: (attempt: Attempt) => void
  /** Tokens that were made for the App's installation. */
  readonly installationTokens: string[]
  addHook(place: string, hook: Partial<GithubHook>): GithubHook
}

/** @param token what is accepted; @param app its public key (PEM), when an App may come */
export async function startFakeGithub({
  token = 'good',
  app,
}: {
  token?: string
  app?: string
} = {}): Promise<FakeGithub> {
  const hooks = new Map<string, GithubHook[]>()
  const attempts: Attempt[] = []
  const installationTokens: string[] = []
  let ids = 1000

  const guarded =
    (handler: (asked: Asked, params: Record<string, string>) => Answer) =>
    (asked: Asked, params: Record<string, string>) => {
      const given = String(asked.headers.authorization ?? '').replace(/^(token|bearer) /i, '')
      if (given !== token && !installationTokens.includes(given))
        return { status: 401, body: { message: 'Bad credentials' } }
      return handler(asked, params)
    }
  const at = (place: string): GithubHook[] => {
    const found = hooks.get(place) ?? []
    hooks.set(place, found)
    return found
  }
  const shown = ({ config, ...hook }: GithubHook) => ({
    ...hook,
    config: {
      insecure_ssl: '0',
      content_type: 'form',
      ...config,
      ...(config.secret === undefined ? {} : { secret: '********' }),
    },
  })
  const same = (a: GithubHook, b: { config: GithubHook['config']; events: string[] }) =>
    a.config.url === b.config.url && JSON.stringify([...a.events].sort()) === JSON.stringify([...b.events].sort())
  const missing: Answer = { status: 404, body: { message: 'Not Found' } }
  const link = (asked: Asked, page: number, more: boolean): Record<string, string> => {
    if (!more) return {}
    const query = new URLSearchParams(asked.query)
    query.set('page', String(page + 1))
    return { link: `<${api.url}${asked.path}?${query}>; rel="next"` }
  }

  const of = (path: string, placeOf: (params: Record<string, string>) => string) => ({
    [`GET ${path}`]: guarded((asked, params) => {
      const { items, page, more } = pageOf(at(placeOf(params)), asked.query, 30)
      return { status: 200, body: items.map(shown), headers: link(asked, page, more) }
    }),
    [`POST ${path}`]: guarded((asked, params) => {
      const { config, events = ['push'], active = true, name } = asked.body
      if (name !== 'web') return { status: 422, body: { message: 'Validation Failed' } }
      const all = at(placeOf(params))
      if (all.some((hook) => same(hook, { config, events }))) {
        return { status: 422, body: { message: 'Hook already exists on this repository' } }
      }
      const hook: GithubHook = { id: ids++, name, active, events, config, created_at: new Date().toISOString() }
      all.push(hook)
      return { status: 201, body: shown(hook) }
    }),
    [`PATCH ${path}/:id`]: guarded((asked, params) => {
      const hook = at(placeOf(params)).find(({ id }) => id === Number(params.id))
      if (hook === undefined) return missing
      const { config, events, active } = asked.body
      Object.assign(hook, {
        ...(config && { config }),
        ...(events && { events }),
        ...(active === undefined ? {} : { active }),
      })
      return { status: 200, body: shown(hook) }
    }),
    [`DELETE ${path}/:id`]: guarded((_, params) => {
      const all = at(placeOf(params))
      const index = all.findIndex(({ id }) => id === Number(params.id))
      if (index < 0) return missing
      all.splice(index, 1)
      return { status: 204 }
    }),
    [`GET ${path}/:id/deliveries`]: guarded(() => ({ status: 200, body: attempts })),
    [`POST ${path}/:id/deliveries/:delivery/attempts`]: guarded((_, params) => {
      const before = attempts.find(({ id }) => id === Number(params.delivery))
      if (before === undefined) return missing
      github.onRedelivery(before)
      return { status: 202, body: {} }
    }),
  })

  const api = await startFakeApi({
    ...of('/api/v3/repos/:owner/:repo/hooks', ({ owner, repo }) => `repos/${owner}/${repo}`),
    ...of('/api/v3/orgs/:org/hooks', ({ org }) => `orgs/${org}`),
    'POST /api/v3/app/installations/:id/access_tokens': ({ headers }) => {
      const jwt = String(headers.authorization ?? '').replace(/^bearer /i, '')
      const [head = '', claims = '', signature = ''] = jwt.split('.')
      const right =
        app !== undefined &&
        verify('sha256', Buffer.from(`${head}.${claims}`), createPublicKey(app), Buffer.from(signature, 'base64url'))
      if (!right) return { status: 401, body: { message: 'A JSON web token could not be decoded' } }
      installationTokens.push(`ghs_${installationTokens.length}`)
      const expires_at = new Date(Date.now() + 3_600_000).toISOString()
      return {
        status: 201,
        body: { token: installationTokens.at(-1), expires_at, permissions: {}, repository_selection: 'all' },
      }
    },
  })
  const github: FakeGithub = Object.assign(api, {
    hooks,
    attempts,
    installationTokens,
    onRedelivery: () => {},
    addHook(place: string, hook: Partial<GithubHook>) {
      const made: GithubHook = {
        id: ids++,
        name: 'web',
        active: true,
        events: ['push'],
        config: { url: 'http://other' },
        created_at: new Date().toISOString(),
        ...hook,
      }
      at(place).push(made)
      return made
    },
  })
  return github
}

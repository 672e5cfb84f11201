/** The hooks at GitLab (REST API v4, "Project webhooks" and "Group webhooks"). Plain calls: the client libraries take no signal. */
import { fail } from '../../core/errors.ts'
import { providerSecret, sentSecret } from '../../source/secrets.ts'
import type { EntryContext, Hook, HookRegistration, HookTarget } from '../../source.ts'
import { deleteAt } from '../hooks/fields.ts'
import { hookUrl } from '../hooks/request.ts'
import { apiBase } from '../http/base-url.ts'
import { createRest, type Rest } from '../http/rest.ts'
import { EVENTS, managesHooks, projectsOf, type Spec } from './spec.ts'

/** As GitLab lists it: `url`, a flag per event, and more. */
type GitlabHook = Hook & { shown: Record<string, unknown> }

/** @throws SECRET_MISSING */
export async function gitlabHooks(ctx: EntryContext<Spec>): Promise<HookRegistration | null> {
  const { spec, clock } = ctx
  if (!managesHooks(spec)) return null
  const [token, signing_token] = await Promise.all([
    providerSecret(ctx, spec.secretToken),
    providerSecret(ctx, spec.signingToken),
  ])
  const flags: Record<string, boolean> = {}
  for (const flag of Object.values(EVENTS)) flags[flag] = false
  flags.enable_ssl_verification = spec.enableSSLVerification
  for (const event of spec.events ?? []) flags[EVENTS[event as keyof typeof EVENTS]] = true
  const url = hookUrl(spec.webhook!)
  const wanted = {
    url,
    ...flags,
    ...(token === undefined ? {} : { token }),
    ...(signing_token === undefined ? {} : { signing_token }),
  }
  return {
    wanted,
    removeOnDelete: spec.deleteHookOnFinish,
    async targets() {
      const rest = await createRest({
        base: apiBase(spec.gitlabBaseURL, '/api/v4'),
        headers: { 'private-token': await sentSecret(ctx, spec.accessToken!) },
        clock,
      })
      const groups = spec.groups.map((group) => ['groups', group] as const)
      const projects = projectsOf(spec).map((project) => ['projects', project] as const)
      return [...groups, ...projects].map(([kind, id]) =>
        target(rest, `${kind}/${id}`, `/${kind}/${encodeURIComponent(id)}/hooks`, wanted, flags),
      )
    },
  }
}

function target(
  rest: Rest,
  name: string,
  path: string,
  wanted: Record<string, unknown>,
  flags: Record<string, boolean>,
): HookTarget<GitlabHook> {
  return {
    name,
    async list(signal) {
      const all: GitlabHook[] = []
      // https://docs.gitlab.com/api/rest/#pagination: x-next-page is empty on the last one.
      for (let page = '1'; page !== ''; ) {
        const { body, header } = await rest.call('GET', `${path}?per_page=100&page=${page}`, signal)
        all.push(...(body as any[]).map(hookOf))
        page = header('x-next-page') ?? ''
      }
      return all
    },
    isOurs: ({ shown }) => shown.url === wanted.url,
    // A flag that this GitLab does not know is not shown.
    isCurrent: ({ shown }) =>
      shown.url === wanted.url &&
      Object.entries(flags).every(([flag, on]) => shown[flag] === undefined || shown[flag] === on),
    create: async (signal) => ({ hook: hookOf((await rest.call('POST', path, signal, wanted)).body) }),
    async update({ id }, signal) {
      await rest.call('PUT', `${path}/${id}`, signal, wanted)
    },
    delete: ({ id }, signal) => deleteAt(rest, `${path}/${id}`, signal),
    async recover({ shown }) {
      // https://docs.gitlab.com/user/project/integrations/webhooks/#auto-disabled-webhooks
      if (shown.alert_status !== 'disabled') return 0
      const remedy = 'send it a test request there, which switches it on again'
      throw fail('ORIGIN_UNAVAILABLE', `GitLab has switched this hook off after failed deliveries: ${remedy}`)
    },
  }
}

function hookOf(shown: any): GitlabHook {
  const createdMs = Date.parse(shown?.created_at)
  return { id: String(shown?.id), shown: shown ?? {}, ...(Number.isNaN(createdMs) ? {} : { createdMs }) }
}

/** The fields of the type `bitbucket`, upstream's rules in its order, and what cannot work. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import type { Finding } from '../../source.ts'
import { deleteHookOnFinish } from '../hooks/fields.ts'
import { baseFindings, providerFindings } from '../hooks/findings.ts'
import { isUnsigned } from '../hooks/hub.ts'
import { hookFindings, unsignedAdvice } from '../hooks/serve.ts'
import { webhookContextSchema } from '../hooks/webhook-context.ts'

const slug = {
  owner: z.string().default('').describe('Workspace of the repository.'),
  repositorySlug: z.string().default('').describe('Slug of the repository.'),
}

export const spec = z.object({
  webhook: webhookContextSchema
    .optional()
    .describe('Where Bitbucket sends its hooks. With `url` and credentials the hooks are created at Bitbucket.'),
  auth: z
    .object({
      basic: z
        .object({
          username: secretKeySelector.optional().describe('User name (or the e-mail address of an API token).'),
          password: secretKeySelector.optional().describe('App password or API token.'),
        })
        .optional()
        .describe('Basic authentication; wins over `oauthToken`.'),
      oauthToken: secretKeySelector
        .optional()
        .describe('Access token of a repository, project or workspace, or of OAuth.'),
    })
    .optional()
    .describe('Credentials that may manage hooks. `{}`: no hooks are managed.'),
  events: z
    .array(z.string())
    .default([])
    .describe('Events that Bitbucket tells of, e.g. `repo:push`. Needed where hooks are created.'),
  bitbucketBaseURL: z
    .string()
    .default('')
    .describe(
      'Address of the REST API, where a proxy stands before it. Default `https://api.bitbucket.org/2.0`. An addition to Argo Events.',
    ),
  repositories: z.array(z.object(slug)).default([]).describe('Repositories that get a hook.'),
  owner: z.string().default('').describe('Deprecated: workspace of the one repository; use `repositories`.'),
  repositorySlug: z.string().default('').describe('Deprecated: slug of the one repository; use `repositories`.'),
  projectKey: z.string().default('').describe('Deprecated and unused, as in Argo Events.'),
  webhookSecret: secretKeySelector
    .optional()
    .describe(
      'Secret that Bitbucket signs with; requests without a right `X-Hub-Signature` get 401. May hold several, one per line: all are accepted, the first is given to Bitbucket. Read on use. An addition to Argo Events.',
    ),
  deleteHookOnFinish,
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})

export type Spec = z.output<typeof spec>

export function repositoriesOf({
  repositories,
  owner,
  repositorySlug,
}: Spec): { owner: string; repositorySlug: string }[] {
  if (repositories.length > 0) return repositories
  return owner !== '' && repositorySlug !== '' ? [{ owner, repositorySlug }] : []
}

/** True when hooks are created at Bitbucket. */
export function managesHooks({ auth, webhook }: Spec): boolean {
  const basic = auth?.basic?.username !== undefined && auth.basic.password !== undefined
  return (basic || auth?.oauthToken !== undefined) && (webhook?.url ?? '') !== ''
}

const SIGNED = 'set webhookSecret, here and (unless hooks are created) at Bitbucket'

export const validate = (spec: Spec): Finding[] =>
  hookFindings(spec.webhook, upstreamError(spec), () => [
    ...providerFindings(spec.webhook!, { provider: 'Bitbucket', signed: SIGNED }),
    ...baseFindings(spec.bitbucketBaseURL, 'bitbucketBaseURL'),
    ...halfLogin(spec),
    ...unsignedAdvice(isUnsigned(spec), SIGNED),
  ])

/** Upstream takes half of a login for none. */
function halfLogin({ auth }: Spec): Finding[] {
  const { username, password } = auth?.basic ?? {}
  if ((username === undefined) === (password === undefined)) return []
  const [given, missing] = password === undefined ? ['username', 'password'] : ['password', 'username']
  const message = `${given} without ${missing} is no login: no hook is created`
  return [{ severity: 'warning', path: ['auth', 'basic'], message, remedy: `add ${missing}: {name: …, key: …}` }]
}

function upstreamError(spec: Spec): Omit<Finding, 'severity'> | null {
  if (repositoriesOf(spec).length === 0) {
    const remedy = 'add repositories: [{owner: acme, repositorySlug: shop}]'
    return { path: [], message: 'at least one repository is required', remedy }
  }
  // Upstream's controller crashes on it.
  if (spec.auth === undefined) {
    return { path: [], message: "auth can't be nil", remedy: 'add auth with credentials, or auth: {}' }
  }
  if (managesHooks(spec) && spec.events.length === 0) {
    const message = 'events must be defined to create a bitbucket webhooks'
    return { path: ['events'], message, remedy: 'for example events: ["repo:push"]' }
  }
  return null
}

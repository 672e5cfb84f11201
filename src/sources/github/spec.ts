/** The fields of the type `github`, upstream's rules in its order, and what cannot work. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import type { Finding } from '../../source.ts'
import { deleteHookOnFinish } from '../hooks/fields.ts'
import { baseFindings, providerFindings } from '../hooks/findings.ts'
import { isUnsigned } from '../hooks/hub.ts'
import { hookFindings, unsignedAdvice } from '../hooks/serve.ts'
import { webhookContextSchema } from '../hooks/webhook-context.ts'

export const spec = z.object({
  webhook: webhookContextSchema
    .optional()
    .describe('Where GitHub sends its hooks. With `url` (and credentials) the hooks are created at GitHub.'),
  repositories: z
    .array(
      z.object({
        owner: z.string().default('').describe('Account or organization that owns the repositories.'),
        names: z.array(z.string()).default([]).describe('Names of the repositories, without the owner.'),
      }),
    )
    .optional()
    .describe('Repositories that get a hook. Either these or `organizations`.'),
  organizations: z
    .array(z.string())
    .optional()
    .describe('Organizations that get a hook, which then tells of all their repositories.'),
  owner: z.string().default('').describe('Deprecated: owner of the one repository; use `repositories`.'),
  repository: z.string().default('').describe('Deprecated: name of the one repository; use `repositories`.'),
  id: z.int().default(0).describe('Deprecated and unused, as in Argo Events.'),
  events: z
    .array(z.string())
    .default([])
    .describe('Events that GitHub tells of, e.g. `push`, `pull_request`; `*` for all. Needed where hooks are created.'),
  apiToken: secretKeySelector
    .optional()
    .describe(
      'Access token that may manage hooks (classic: `admin:repo_hook`, `admin:org_hook`). Wins over `githubApp`.',
    ),
  githubApp: z
    .object({
      privateKey: secretKeySelector.optional().describe('PEM private key of the App.'),
      appID: z.int().default(0).describe('Id of the App.'),
      installationID: z.int().default(0).describe('Id of its installation in the account or organization.'),
    })
    .optional()
    .describe('GitHub App that manages the hooks; it needs write permission for webhooks.'),
  webhookSecret: secretKeySelector
    .optional()
    .describe(
      'Secret that GitHub signs with; requests without a right `X-Hub-Signature-256` get 401. May hold several, one per line: all are accepted, the first is given to GitHub. Read on use.',
    ),
  insecure: z.boolean().default(false).describe('GitHub does not verify the TLS certificate of `webhook.url`.'),
  active: z.boolean().default(false).describe('The hook is active. GitHub sends nothing to one that is not.'),
  contentType: z
    .string()
    .default('')
    .describe('How GitHub sends: `json` or `form`. Default: what GitHub does without it, which is `form`.'),
  githubBaseURL: z
    .string()
    .default('')
    .describe('API of GitHub Enterprise Server: `https://HOST/api/v3`. Needs `githubUploadURL`.'),
  githubUploadURL: z
    .string()
    .default('')
    .describe('Upload API of GitHub Enterprise Server. Only checked, as in Argo Events: nothing is uploaded.'),
  deleteHookOnFinish,
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})

export type Spec = z.output<typeof spec>

/** The repositories that are to have a hook; null: none are named. */
export function repositoriesOf({
  repositories = [],
  owner,
  repository,
}: Spec): { owner: string; name: string }[] | null {
  if (repositories.length > 0) {
    return repositories.flatMap(({ owner, names }) => names.map((name) => ({ owner, name })))
  }
  return owner !== '' && repository !== '' ? [{ owner, name: repository }] : null
}

/** True when hooks are created at GitHub. */
export const managesHooks = ({ apiToken, githubApp, webhook }: Spec): boolean =>
  (apiToken !== undefined || githubApp?.privateKey !== undefined) && (webhook?.url ?? '') !== ''

const SIGNED = 'set webhookSecret, here and (unless hooks are created) at GitHub'

export const validate = (spec: Spec): Finding[] =>
  hookFindings(spec.webhook, upstreamError(spec), () => [
    ...providerFindings(spec.webhook!, { provider: 'GitHub', signed: SIGNED }),
    ...baseFindings(spec.githubBaseURL, 'githubBaseURL'),
    ...inactive(spec),
    ...unsignedAdvice(isUnsigned(spec), SIGNED),
  ])

function upstreamError(spec: Spec): Omit<Finding, 'severity'> | null {
  const { organizations, events, contentType, githubBaseURL, githubUploadURL } = spec
  const repositories = repositoriesOf(spec)
  if (repositories === null && organizations === undefined) {
    const remedy = 'add repositories: [{owner: acme, names: [shop]}] or organizations: [acme]'
    return { path: [], message: 'either repositories or organizations is required', remedy }
  }
  if (repositories !== null && organizations !== undefined) {
    const remedy = 'remove one of them; two events can have one each'
    return { path: ['organizations'], message: 'only one of repositories and organizations is allowed', remedy }
  }
  if (managesHooks(spec) && events.length === 0) {
    const remedy = 'for example events: ["push"], or ["*"] for all'
    return { path: ['events'], message: 'events must be defined to create a github webhook', remedy }
  }
  if (!['', 'json', 'form'].includes(contentType)) {
    return {
      path: ['contentType'],
      message: 'content type must be "json" or "form"',
      remedy: 'write contentType: json',
    }
  }
  if (githubBaseURL !== '' && githubUploadURL === '') {
    const remedy = 'usually https://HOST/api/uploads'
    return { path: ['githubUploadURL'], message: 'githubUploadURL is required when githubBaseURL is set', remedy }
  }
  if (githubUploadURL !== '' && githubBaseURL === '') {
    const remedy = 'usually https://HOST/api/v3'
    return { path: ['githubBaseURL'], message: 'githubBaseURL is required when githubUploadURL is set', remedy }
  }
  return null
}

function inactive(spec: Spec): Finding[] {
  if (!managesHooks(spec) || spec.active) return []
  const message = 'the hooks are created inactive: GitHub sends nothing to them'
  return [{ severity: 'advice', path: [], message, remedy: 'write active: true' }]
}

/** The fields of the type `bitbucketserver`, upstream's rules in its order, and what cannot work. */
import { z } from 'zod'
import { parseDurationNs } from '../../core/duration.ts'
import { messageOf } from '../../core/errors.ts'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema } from '../../source/tls.ts'
import type { Finding } from '../../source.ts'
import { deleteHookOnFinish } from '../hooks/fields.ts'
import { baseFindings, providerFindings } from '../hooks/findings.ts'
import { isUnsigned } from '../hooks/hub.ts'
import { hookFindings, unsignedAdvice } from '../hooks/serve.ts'
import { webhookContextSchema } from '../hooks/webhook-context.ts'

const repository = {
  projectKey: z.string().default('').describe('Key of the project.'),
  repositorySlug: z.string().default('').describe('Slug of the repository.'),
}

export const spec = z.object({
  webhook: webhookContextSchema
    .optional()
    .describe('Where Bitbucket sends its hooks. With `url` and `accessToken` the hooks are created at Bitbucket.'),
  bitbucketserverBaseURL: z
    .string()
    .default('')
    .describe('Base of the REST API, with `/rest`: `https://bitbucket.example.com/rest`.'),
  events: z
    .array(z.string())
    .default([])
    .describe('Events that Bitbucket tells of, e.g. `repo:refs_changed`. Needed where hooks are created.'),
  repositories: z.array(z.object(repository)).default([]).describe('Repositories that get a hook.'),
  projects: z
    .array(z.string())
    .default([])
    .describe('Keys of projects all of whose repositories get a hook, also those that come later.'),
  projectKey: z.string().default('').describe('Deprecated: project of the one repository; use `repositories`.'),
  repositorySlug: z.string().default('').describe('Deprecated: slug of the one repository; use `repositories`.'),
  accessToken: secretKeySelector.optional().describe('HTTP access token that may manage hooks.'),
  webhookSecret: secretKeySelector
    .optional()
    .describe(
      'Secret that Bitbucket signs with; requests without a right `X-Hub-Signature` get 401. May hold several, one per line: all are accepted, the first is given to Bitbucket. Read on use.',
    ),
  skipBranchRefsChangedOnOpenPR: z
    .boolean()
    .default(false)
    .describe(
      'Drop changes of branches (`repo:refs_changed`) whose commit belongs to an open pull request. Needs `accessToken`: Bitbucket is asked at each such change.',
    ),
  oneEventPerChange: z
    .boolean()
    .default(false)
    .describe(
      'Make one event of each change of `repo:refs_changed`; the body then has only the fields that Argo Events knows.',
    ),
  checkInterval: z
    .string()
    .default('')
    .describe('How often the hooks are looked at, a duration such as `5m`.')
    .meta({ default: '1m' }),
  tls: tlsSchema.optional().describe('TLS towards the REST API.'),
  deleteHookOnFinish,
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})

export type Spec = z.output<typeof spec>

export function repositoriesOf({ repositories, projectKey, repositorySlug }: Spec) {
  if (repositories.length > 0) return repositories
  return projectKey !== '' && repositorySlug !== '' ? [{ projectKey, repositorySlug }] : []
}

/** True when hooks are created at Bitbucket. */
export const managesHooks = (spec: Spec): boolean =>
  spec.accessToken !== undefined &&
  (spec.webhook?.url ?? '') !== '' &&
  (repositoriesOf(spec).length > 0 || spec.projects.length > 0)

/** Milliseconds. @throws SPEC_INVALID with Go's words */
export const checkEveryMs = ({ checkInterval }: Spec): number =>
  checkInterval === '' ? 60_000 : Number(parseDurationNs(checkInterval) / 1_000_000n)

const SIGNED = 'set webhookSecret, here and (unless hooks are created) at Bitbucket'

export const validate = (spec: Spec): Finding[] =>
  hookFindings(spec.webhook, upstreamError(spec), () => [
    ...providerFindings(spec.webhook!, { provider: 'Bitbucket', signed: SIGNED }),
    ...baseFindings(spec.bitbucketserverBaseURL, 'bitbucketserverBaseURL'),
    ...cannotWork(spec),
    ...unsignedAdvice(isUnsigned(spec), SIGNED),
  ])

function upstreamError(spec: Spec): Omit<Finding, 'severity'> | null {
  if (managesHooks(spec) && spec.events.length === 0) {
    const message = 'events must be defined to create a bitbucket server webhook'
    return { path: ['events'], message, remedy: 'for example events: ["repo:refs_changed"]' }
  }
  if (spec.bitbucketserverBaseURL === '') {
    const remedy = 'for example https://bitbucket.example.com/rest'
    return { path: ['bitbucketserverBaseURL'], message: "bitbucket server base url can't be empty", remedy }
  }
  try {
    checkEveryMs(spec)
    return null
  } catch (error) {
    const message = `failed to parse webhook check interval duration: ${messageOf(error)}`
    return { path: ['checkInterval'], message, remedy: 'for example checkInterval: 5m' }
  }
}

function cannotWork(spec: Spec): Finding[] {
  const findings: Finding[] = []
  if (spec.skipBranchRefsChangedOnOpenPR && spec.accessToken === undefined) {
    const message = 'skipBranchRefsChangedOnOpenPR without accessToken: Bitbucket cannot be asked'
    findings.push({ severity: 'warning', fatal: true, path: [], message, remedy: 'add accessToken: {name: …, key: …}' })
  }
  if (managesHooks(spec) && checkEveryMs(spec) < 1_000) {
    const message = `checkInterval ${spec.checkInterval} is below a second: hooks are looked at every second`
    findings.push({ severity: 'warning', path: ['checkInterval'], message, remedy: 'for example checkInterval: 1m' })
  }
  return findings
}

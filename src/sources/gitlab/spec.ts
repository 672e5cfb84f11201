/** The fields of the type `gitlab`, upstream's rules in its order, and what cannot work. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import type { Finding } from '../../source.ts'
import { deleteHookOnFinish } from '../hooks/fields.ts'
import { baseFindings, providerFindings } from '../hooks/findings.ts'
import { hookFindings, unsignedAdvice } from '../hooks/serve.ts'
import { webhookContextSchema } from '../hooks/webhook-context.ts'

/** Upstream's names of events, and the attribute of the hook that each turns on (GitLab's REST API, "Project webhooks"). */
export const EVENTS = {
  PushEvents: 'push_events',
  TagPushEvents: 'tag_push_events',
  IssuesEvents: 'issues_events',
  ConfidentialIssuesEvents: 'confidential_issues_events',
  MergeRequestsEvents: 'merge_requests_events',
  NoteEvents: 'note_events',
  ConfidentialNoteEvents: 'confidential_note_events',
  JobEvents: 'job_events',
  PipelineEvents: 'pipeline_events',
  WikiPageEvents: 'wiki_page_events',
  EmojiEvents: 'emoji_events',
  DeploymentEvents: 'deployment_events',
  ReleasesEvents: 'releases_events',
  ResourceAccessTokenEvents: 'resource_access_token_events',
  VulnerabilityEvents: 'vulnerability_events',
  EnableSSLVerification: 'enable_ssl_verification',
} as const

export const spec = z.object({
  webhook: webhookContextSchema
    .optional()
    .describe('Where GitLab sends its hooks. With `url` the hooks are created at GitLab.'),
  events: z
    .array(z.string())
    .optional()
    .describe(
      `Events that GitLab tells of: ${Object.keys(EVENTS)
        .slice(0, -1)
        .map((name) => `\`${name}\``)
        .join(', ')}.`,
    ),
  gitlabBaseURL: z.string().default('').describe('Address of the GitLab, e.g. `https://gitlab.com`.'),
  accessToken: secretKeySelector
    .optional()
    .describe('Access token with the scope `api` that may manage the hooks (Maintainer, for groups Owner).'),
  projects: z.array(z.string()).default([]).describe('Projects that get a hook: ids, or paths such as `acme/shop`.'),
  projectID: z.string().default('').describe('Deprecated: the one project; use `projects`.'),
  groups: z.array(z.string()).default([]).describe('Groups that get a hook (GitLab Premium): ids or paths.'),
  enableSSLVerification: z.boolean().default(false).describe('GitLab verifies the TLS certificate of `webhook.url`.'),
  secretToken: secretKeySelector
    .optional()
    .describe(
      'Token that GitLab sends as `X-Gitlab-Token`; requests without it get 401. May hold several, one per line: all are accepted, the first is given to GitLab. Read on use.',
    ),
  signingToken: secretKeySelector
    .optional()
    .describe(
      'Signing token (`whsec_…`) of GitLab’s newer signature (`webhook-signature`, Standard Webhooks); requests without a right one get 401. Several as above. An addition to Argo Events.',
    ),
  deleteHookOnFinish,
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})

export type Spec = z.output<typeof spec>

export const projectsOf = ({ projects, projectID }: Spec): string[] =>
  projects.length > 0 ? projects : projectID === '' ? [] : [projectID]

export const managesHooks = ({ accessToken, webhook }: Spec): boolean =>
  accessToken !== undefined && (webhook?.url ?? '') !== ''

export const isUnsigned = ({ secretToken, signingToken, webhook }: Spec): boolean =>
  secretToken === undefined && signingToken === undefined && webhook?.authSecret === undefined

export const validate = (spec: Spec): Finding[] =>
  hookFindings(spec.webhook, upstreamError(spec), () => [
    // GitLab can be told to send any header.
    ...providerFindings(spec.webhook!, { provider: 'GitLab', signed: null }),
    ...baseFindings(spec.gitlabBaseURL, 'gitlabBaseURL'),
    ...foundAtStart(spec),
    ...unsignedAdvice(isUnsigned(spec), 'set secretToken, here and (unless hooks are created) at GitLab'),
  ])

function upstreamError({ events, gitlabBaseURL, accessToken }: Spec): Omit<Finding, 'severity'> | null {
  if (events === undefined) {
    return { path: ['events'], message: "events can't be empty", remedy: 'for example events: [PushEvents]' }
  }
  if (gitlabBaseURL === '') {
    const remedy = 'for example gitlabBaseURL: https://gitlab.com'
    return { path: ['gitlabBaseURL'], message: "gitlab base url can't be empty", remedy }
  }
  if (accessToken === undefined) {
    return { path: ['accessToken'], message: "access token can't be nil", remedy: 'add accessToken: {name: …, key: …}' }
  }
  return null
}

/** What upstream finds out when it starts, or never. */
function foundAtStart(spec: Spec): Finding[] {
  if (!managesHooks(spec)) return []
  const findings: Finding[] = []
  for (const [index, event] of (spec.events ?? []).entries()) {
    if (Object.hasOwn(EVENTS, event)) continue
    const message = `unknown event ${event}`
    const remedy = `write one of ${Object.keys(EVENTS).join(', ')}`
    findings.push({ severity: 'warning', fatal: true, path: ['events', index], message, remedy })
  }
  if (projectsOf(spec).length + spec.groups.length === 0) {
    const message = 'neither projects nor groups are named, so no hook is created'
    findings.push({ severity: 'advice', path: [], message, remedy: 'add projects: [acme/shop]' })
  }
  return findings
}

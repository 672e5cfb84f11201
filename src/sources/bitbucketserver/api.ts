/** Bitbucket Server's and Data Center's REST API 1.0, as far as we use it. */

import { sentSecret } from '../../source/secrets.ts'
import type { HttpContext } from '../../source.ts'
import { restTls } from '../hooks/fields.ts'
import { apiBase } from '../http/base-url.ts'
import { createRest, type Rest } from '../http/rest.ts'
import type { Spec } from './spec.ts'

/** @throws SECRET_MISSING, SPEC_INVALID */
export async function connect(ctx: Pick<HttpContext<Spec>, 'spec' | 'secret' | 'clock'>): Promise<Rest> {
  const { bitbucketserverBaseURL, accessToken, tls } = ctx.spec
  return await createRest({
    base: apiBase(bitbucketserverBaseURL, '/rest/api/1.0'),
    headers: {
      authorization: `Bearer ${await sentSecret(ctx, accessToken!)}`,
      // Without these two Bitbucket takes a request for a forged one (XSRF).
      'x-atlassian-token': 'no-check',
      'x-requested-with': 'XMLHttpRequest',
    },
    clock: ctx.clock,
    tls: await restTls(ctx, tls),
  })
}

/** All values of a paged list (`start`, `limit`, `isLastPage`, `nextPageStart`). */
export async function* valuesOf(rest: Rest, path: string, signal: AbortSignal): AsyncGenerator<any> {
  for (let start = 0; ; ) {
    const { body } = await rest.call('GET', `${path}?limit=500&start=${start}`, signal)
    yield* body?.values ?? []
    const next = body?.nextPageStart
    if (body?.isLastPage !== false || !Number.isInteger(next) || next <= start) return
    start = next
  }
}

export const repositoryPath = (projectKey: string, repositorySlug: string): string =>
  `/projects/${encodeURIComponent(projectKey)}/repos/${encodeURIComponent(repositorySlug)}`

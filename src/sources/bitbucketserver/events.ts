/** What becomes of a delivery of Bitbucket Server: one event, several, or none. */
import { fail, messageOf } from '../../core/errors.ts'
import type { Gate } from '../../core/gate.ts'
import type { HttpContext, HttpRequest } from '../../source.ts'
import { deliveryId, jsonBody } from '../hooks/request.ts'
import type { HookEvent } from '../hooks/serve.ts'
import { connect, repositoryPath, valuesOf } from './api.ts'
import { bodyOfChange, type Change, movesBranch, type Push, parsePush, withChanges } from './refs-changed.ts'
import type { Spec } from './spec.ts'

/**
 * @param asking bounds the calls to Bitbucket: without `webhookSecret` anybody can cause them
 * @throws EVENT_INVALID; ORIGIN_UNAVAILABLE when Bitbucket cannot be asked about pull requests: the sender may try again
 */
export async function eventsOf(ctx: HttpContext<Spec>, request: HttpRequest, asking: Gate): Promise<HookEvent[]> {
  const { oneEventPerChange, skipBranchRefsChangedOnOpenPR } = ctx.spec
  const id = deliveryId(request.header('X-Request-Id'), request.body)
  const special = oneEventPerChange || skipBranchRefsChangedOnOpenPR
  if (request.header('X-Event-Key') !== 'repo:refs_changed' || !special) return [{ body: jsonBody(request.body), id }]
  const push = parsePush(request.body)
  const changes = skipBranchRefsChangedOnOpenPR ? await withoutOpenPullRequests(ctx, push, asking) : push.changes
  if (oneEventPerChange) {
    return changes.map((change) => ({ body: bodyOfChange(push, change), id: id && `${id}/${change.index}` }))
  }
  if (changes.length === push.changes.length) return [{ body: jsonBody(request.body), id }]
  return changes.length === 0 ? [] : [{ body: withChanges(push, changes), id }]
}

async function withoutOpenPullRequests(ctx: HttpContext<Spec>, push: Push, asking: Gate): Promise<Change[]> {
  if (!push.changes.some(movesBranch)) return push.changes
  const { projectKey, repositorySlug } = push
  try {
    const rest = await connect(ctx)
    const hasOpen = async ({ toHash }: Change): Promise<boolean> => {
      const path = `${repositoryPath(projectKey, repositorySlug)}/commits/${encodeURIComponent(toHash)}/pull-requests`
      for await (const { state } of valuesOf(rest, path, ctx.signal)) {
        if (String(state).toUpperCase() === 'OPEN') return true
      }
      return false
    }
    const kept: Change[] = []
    for (const change of push.changes) {
      const open = movesBranch(change) && asking.through(() => hasOpen(change))
      if (open === null) throw fail('ORIGIN_UNAVAILABLE', 'too many pushes wait for it')
      if (!(await open)) kept.push(change)
    }
    return kept
  } catch (error) {
    const what = `whether commits of ${projectKey}/${repositorySlug} have an open pull request`
    throw fail('ORIGIN_UNAVAILABLE', `Bitbucket could not be asked ${what}: ${messageOf(error)}`, {}, { cause: error })
  }
}

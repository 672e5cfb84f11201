/** The hooks at Bitbucket Server (REST API 1.0, "webhooks" of repositories). */

import { providerSecret } from '../../source/secrets.ts'
import type { EntryContext, Hook, HookRegistration, HookTarget } from '../../source.ts'
import { deleteAt, sameSet } from '../hooks/fields.ts'
import { hookUrl } from '../hooks/request.ts'
import type { Rest } from '../http/rest.ts'
import { connect, repositoryPath, valuesOf } from './api.ts'
import { checkEveryMs, managesHooks, repositoriesOf, type Spec } from './spec.ts'

interface ServerHook extends Hook {
  url: string
  events: string[]
  active: boolean
}

interface Wanted {
  name: string
  events: string[]
  url: string
  active: true
  configuration?: { secret: string }
}

/** @throws SECRET_MISSING */
export async function serverHooks(ctx: EntryContext<Spec>): Promise<HookRegistration | null> {
  const { spec } = ctx
  if (!managesHooks(spec)) return null
  const secret = await providerSecret(ctx, spec.webhookSecret)
  const wanted: Wanted = {
    name: 'Vedette',
    events: spec.events,
    url: hookUrl(spec.webhook!),
    active: true,
    ...(secret === undefined ? {} : { configuration: { secret } }),
  }
  return {
    wanted,
    everyMs: Math.max(1_000, checkEveryMs(spec)),
    removeOnDelete: spec.deleteHookOnFinish,
    async targets(signal) {
      const rest = await connect(ctx)
      const paths = new Set(
        repositoriesOf(spec).map(({ projectKey, repositorySlug }) => repositoryPath(projectKey, repositorySlug)),
      )
      for (const project of spec.projects) {
        for await (const { slug } of valuesOf(rest, `/projects/${encodeURIComponent(project)}/repos`, signal)) {
          paths.add(repositoryPath(project, String(slug)))
        }
      }
      return [...paths].map((path) => target(rest, path, wanted))
    },
  }
}

function target(rest: Rest, repository: string, wanted: Wanted): HookTarget<ServerHook> {
  const path = `${repository}/webhooks`
  return {
    name: decodeURIComponent(repository.slice(1)),
    async list(signal) {
      const all: ServerHook[] = []
      for await (const listed of valuesOf(rest, path, signal)) all.push(hookOf(listed))
      return all
    },
    isOurs: ({ url }) => url === wanted.url,
    isCurrent: ({ url, events, active }) => url === wanted.url && active && sameSet(events, wanted.events),
    create: async (signal) => ({ hook: hookOf((await rest.call('POST', path, signal, wanted)).body) }),
    async update({ id }, signal) {
      await rest.call('PUT', `${path}/${id}`, signal, { configuration: {}, ...wanted })
    },
    delete: ({ id }, signal) => deleteAt(rest, `${path}/${id}`, signal),
  }
}

function hookOf(listed: any): ServerHook {
  const { id, createdDate, url, events = [], active } = listed ?? {}
  return {
    id: String(id),
    ...(typeof createdDate === 'number' ? { createdMs: createdDate } : {}),
    url: String(url ?? ''),
    events: events.map(String),
    active: active === true,
  }
}

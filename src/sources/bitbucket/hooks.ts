/** The hooks at Bitbucket Cloud (REST API 2.0, "Webhooks" of repositories). */

import { providerSecret, sentSecret } from '../../source/secrets.ts'
import type { EntryContext, Hook, HookRegistration, HookTarget } from '../../source.ts'
import { deleteAt, sameSet } from '../hooks/fields.ts'
import { hookUrl } from '../hooks/request.ts'
import { createRest, type Rest } from '../http/rest.ts'
import { managesHooks, repositoriesOf, type Spec } from './spec.ts'

interface BitbucketHook extends Hook {
  url: string
  events: string[]
  active: boolean
  secretSet: boolean | undefined
}

interface Wanted {
  description: string
  url: string
  active: true
  events: string[]
  secret?: string
}

const API = 'https://api.bitbucket.org/2.0'

/** @throws SECRET_MISSING */
export async function bitbucketHooks(ctx: EntryContext<Spec>): Promise<HookRegistration | null> {
  const { spec, clock } = ctx
  if (!managesHooks(spec)) return null
  const secret = await providerSecret(ctx, spec.webhookSecret)
  const wanted: Wanted = {
    description: 'managed by Vedette',
    url: hookUrl(spec.webhook!),
    active: true,
    events: spec.events,
    ...(secret === undefined ? {} : { secret }),
  }
  return {
    wanted,
    removeOnDelete: spec.deleteHookOnFinish,
    async targets() {
      const base = spec.bitbucketBaseURL === '' ? API : spec.bitbucketBaseURL
      const rest = await createRest({ base, headers: { authorization: await authorization(ctx) }, clock })
      return repositoriesOf(spec).map(({ owner, repositorySlug }) => {
        const path = `/repositories/${encodeURIComponent(owner)}/${encodeURIComponent(repositorySlug)}/hooks`
        return target(rest, `repositories/${owner}/${repositorySlug}`, path, wanted)
      })
    },
  }
}

async function authorization(ctx: EntryContext<Spec>): Promise<string> {
  const { auth } = ctx.spec
  const { username, password } = auth?.basic ?? {}
  if (username === undefined || password === undefined) return `Bearer ${await sentSecret(ctx, auth!.oauthToken!)}`
  const pair = `${await sentSecret(ctx, username)}:${await sentSecret(ctx, password)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

function target(rest: Rest, name: string, path: string, wanted: Wanted): HookTarget<BitbucketHook> {
  // Uuids come in braces.
  const one = (id: string) => `${path}/${encodeURIComponent(id)}`
  return {
    name,
    async list(signal) {
      const all: BitbucketHook[] = []
      for (let next: string | undefined = `${path}?pagelen=100`; next !== undefined; ) {
        const { body }: { body: { values?: unknown[]; next?: string } } = await rest.call('GET', next, signal)
        all.push(...(body.values ?? []).map(hookOf))
        next = body.next
      }
      return all
    },
    isOurs: ({ url }) => url === wanted.url,
    isCurrent: ({ url, events, active, secretSet }) =>
      url === wanted.url &&
      active &&
      sameSet(events, wanted.events) &&
      (secretSet === undefined || secretSet === (wanted.secret !== undefined)),
    create: async (signal) => ({ hook: hookOf((await rest.call('POST', path, signal, wanted)).body) }),
    async update({ id }, signal) {
      // Without a secret in it the hook would keep the one that it has.
      await rest.call('PUT', one(id), signal, { secret: null, ...wanted })
    },
    delete: ({ id }, signal) => deleteAt(rest, one(id), signal),
  }
}

function hookOf(listed: any): BitbucketHook {
  const createdMs = Date.parse(listed?.created_at)
  return {
    id: String(listed?.uuid),
    ...(Number.isNaN(createdMs) ? {} : { createdMs }),
    url: String(listed?.url ?? ''),
    events: (listed?.events ?? []).map(String),
    active: listed?.active === true,
    secretSet: listed?.secret_set,
  }
}

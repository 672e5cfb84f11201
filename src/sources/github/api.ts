/** GitHub's REST API (https://docs.github.com/rest) as far as hooks need it: who we are there, lists of several pages, places that have moved. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { fail, messageOf } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { EntryContext } from '../../source.ts'
import { apiBase } from '../http/base-url.ts'
import { jsonWebToken } from '../http/jwt.ts'
import { createRest, type Rest, type RestAnswer } from '../http/rest.ts'
import type { Spec } from './spec.ts'

export interface GithubApi {
  /** @returns the parsed answer. @throws ORIGIN_UNAVAILABLE as {@link Rest} says */
  call(method: string, path: string, signal: AbortSignal, body?: object): Promise<any>
  /** All pages of a list, until `enough` says so of one. */
  pages(path: string, signal: AbortSignal, enough?: (page: any[]) => boolean): Promise<any[]>
}

/** Who we are. */
interface Login {
  authorization: string
  /** When GitHub gave it out, as `clock.monotonic()` says it; left out: long ago. */
  madeAtMs?: number
}

/** So long may a new token be unknown to some of GitHub's servers. */
const NEW_MS = 5_000
const MOST_MOVES = 5

/** Authenticates. @throws SECRET_MISSING, SPEC_INVALID, ORIGIN_UNAVAILABLE */
export async function connect(ctx: EntryContext<Spec>, signal: AbortSignal): Promise<GithubApi> {
  const { spec, clock } = ctx
  const base = baseOf(spec)
  if (!URL.canParse(base)) throw fail('SPEC_INVALID', `githubBaseURL ${JSON.stringify(base)} is no URL`)
  const restAs = (authorization: string): Promise<Rest> =>
    createRest({
      base,
      headers: { accept: 'application/vnd.github.v3+json', 'user-agent': 'vedette', authorization },
      clock,
      messageIn: (body) => (typeof body?.message === 'string' ? body.message.slice(0, 300) : ''),
    })
  const { authorization, madeAtMs = Number.NEGATIVE_INFINITY } = await loginOf(ctx, restAs, signal)
  const rest = await restAs(authorization)
  const { origin } = new URL(base)

  const ask = async (method: string, path: string, signal: AbortSignal, body?: object): Promise<RestAnswer> => {
    for (let tries = 1; ; tries++) {
      try {
        return await moving(rest, method, path, signal, body)
      } catch (error) {
        if (detailsOf(error).status !== 401 || clock.monotonic() - madeAtMs >= NEW_MS) throw error
        await clock.sleep(tries * 1_000, signal)
      }
    }
  }
  return {
    call: async (...args) => (await ask(...args)).body,
    async pages(path, signal, enough) {
      const all: any[] = []
      for (let next: string | null = path; next !== null; ) {
        const { body, header }: RestAnswer = await ask('GET', next, signal)
        all.push(...body)
        next = enough?.(body) ? null : nextPage(header('link'), origin)
      }
      return all
    },
  }
}

/** GitHub Enterprise Server has its API below a path, an own host of the API has not (https://docs.github.com/rest, "Getting started"). */
function baseOf({ githubBaseURL }: Spec): string {
  if (githubBaseURL === '') return 'https://api.github.com'
  return apiBase(githubBaseURL, '/api/v3', /^https?:\/\/([^/]*\.)?api\.[^/]+$/)
}

/** A repository that was renamed is asked for where it is now. */
async function moving(rest: Rest, method: string, path: string, signal: AbortSignal, body?: object) {
  for (let moves = 0; ; moves++) {
    try {
      return await rest.call(method, path, signal, body)
    } catch (error) {
      const { status = 0, location } = detailsOf(error)
      const same = method === 'GET' ? status >= 301 : status === 307 || status === 308
      if (location === undefined || !same || moves === MOST_MOVES) throw error
      path = location
    }
  }
}

/** The next page (RFC 8288); the token goes to no other origin, wherever a link points. */
function nextPage(link: string | undefined, origin: string): string | null {
  const url = /<([^>]+)>;\s*rel="next"/.exec(link ?? '')?.[1]
  return url !== undefined && URL.canParse(url) && new URL(url).origin === origin ? url : null
}

async function loginOf(
  ctx: EntryContext<Spec>,
  restAs: (authorization: string) => Promise<Rest>,
  signal: AbortSignal,
): Promise<Login> {
  const { apiToken, githubApp } = ctx.spec
  if (apiToken !== undefined) {
    const token = await sentSecret(ctx, apiToken)
    // A JSON Web Token has three parts.
    return { authorization: `${token.split('.').length === 3 ? 'bearer' : 'token'} ${token}` }
  }
  const { appID, installationID } = githubApp!
  const key = privateKey(await ctx.secret(githubApp!.privateKey!))
  const path = `/app/installations/${installationID}/access_tokens`
  const tokenAt = async (nowMs: number): Promise<string> =>
    (await (await restAs(`bearer ${appToken(appID, key, nowMs)}`)).call('POST', path, signal)).body.token
  const token = await tokenAt(ctx.clock.now()).catch((error: unknown) => {
    const theirMs = clockOf(error)
    if (theirMs === null) throw error
    return tokenAt(theirMs)
  })
  return { authorization: `token ${token}`, madeAtMs: ctx.clock.monotonic() }
}

/** GitHub's clock, when ours is so wrong that it does not take our token; else null. */
function clockOf(error: unknown): number | null {
  const theirMs = Date.parse(detailsOf(error).date ?? '')
  const skewed = /'(Expiration time|Issued at)' claim/.test(messageOf(error))
  return skewed && !Number.isNaN(theirMs) ? theirMs : null
}

/** Keys in variables have their line ends escaped. */
function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem.replaceAll('\\n', '\n'))
  } catch (error) {
    throw fail('SPEC_INVALID', `githubApp.privateKey is no private key in PEM: ${messageOf(error)}`)
  }
}

/** What a GitHub App proves itself with: good for at most ten minutes, and from a bit before now, since clocks differ. */
function appToken(iss: number, key: KeyObject, nowMs: number): string {
  const iat = Math.floor(nowMs / 1_000) - 30
  return jsonWebToken('RS256', { claims: { iat, exp: iat + 600, iss }, key })
}

/** What {@link Rest} tells of an answer that is none. */
const detailsOf = (error: unknown): { status?: number; location?: string; date?: string } =>
  (error as { details?: object }).details ?? {}

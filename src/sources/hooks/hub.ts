/** Hooks that a provider signs with `X-Hub-Signature` or its like, by the Secret that `webhookSecret` names. */
import type { HttpContext, HttpRequest, SecretKeySelector } from '../../source.ts'
import { hubProof } from './proof.ts'
import { type HookEvent, serveHooks } from './serve.ts'
import type { WebhookContext } from './webhook-context.ts'

interface HubSpec {
  webhook?: WebhookContext | undefined
  webhookSecret?: SecretKeySelector | undefined
  metadata?: Record<string, string> | undefined
}

/** True when anybody's requests get in. */
export const isUnsigned = ({ webhookSecret, webhook }: HubSpec): boolean =>
  webhookSecret === undefined && webhook?.authSecret === undefined

/** Serves until the entry stops. @param headers of the signature; the first that is there counts
 * @param managed the registrar gives the secret to the provider @param events see `HookRoute` */
export async function serveHubHooks(
  ctx: HttpContext<HubSpec>,
  headers: readonly string[],
  managed: boolean,
  events: (request: HttpRequest) => Promise<HookEvent[]> | HookEvent[],
): Promise<void> {
  const { webhook, webhookSecret, metadata } = ctx.spec
  await serveHooks(ctx, { webhook, metadata, proof: await hubProof(ctx, webhookSecret, headers, managed), events })
}

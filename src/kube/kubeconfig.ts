/** Outside a cluster: where it is and who we are there, as a kubeconfig says it. */
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { certifiedFor } from '../clients/server-name.ts'
import type { Clock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { KubeConfiguration } from './configuration.ts'
import { bytesOf, merged } from './kubeconfig/files.ts'
import { loginOf } from './kubeconfig/login.ts'

/**
 * The files of `KUBECONFIG`, or `~/.kube/config`.
 * @param context left out: the current one
 * @throws KUBERNETES_CONFIG
 */
export async function fromKubeconfig({
  env,
  context,
  clock,
}: {
  env: Record<string, string | undefined>
  context?: string | undefined
  clock: Clock
}): Promise<KubeConfiguration> {
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
  const name = named.length === 0 ? '~/.kube/config' : env.KUBECONFIG
  const wrong = (text: string, cause?: unknown) =>
    fail('KUBERNETES_CONFIG', `the kubeconfig ${name} ${text}`, {}, { cause })
  const config = await merged(named.length === 0 ? [join(homedir(), '.kube/config')] : named).catch((error) => {
    throw wrong(`cannot be read: ${messageOf(error)}`, error)
  })
  if (context !== undefined && !config.contexts.has(context))
    throw wrong(`has no context "${context}", but ${[...config.contexts.keys()].join(', ') || 'none'}`)
  const chosen = config.contexts.get(context ?? config.current ?? '')
  const cluster = config.clusters.get(chosen?.cluster)
  if (chosen === undefined || typeof cluster?.server !== 'string')
    throw wrong('has no current context with a cluster: kubectl config use-context NAME')
  const ca = await bytesOf(cluster, 'certificate-authority').catch((error) => {
    throw wrong(`has a cluster whose certificate-authority cannot be read: ${messageOf(error)}`, error)
  })
  const { cert, key, authorization } = await loginOf({ user: config.users.get(chosen.user), cluster, env, clock })
  return {
    server: cluster.server.replace(/\/$/, ''),
    namespace: chosen.namespace || 'default',
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(cluster['tls-server-name'] ? certifiedFor(cluster['tls-server-name']) : {}),
      ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
    },
    ...(cluster['proxy-url'] ? { proxy: cluster['proxy-url'] } : {}),
    authorization,
  }
}

/** Outside a cluster: a kubeconfig, with whatever way to log in it names. That is what the big client is good at; only this is taken of it. */
import type { RequestOptions } from 'node:https'
import { delimiter } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'
import { certifiedFor } from '../clients/server-name.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { KubeConfiguration } from './configuration.ts'

/**
 * @param files as in `KUBECONFIG`; left out: `~/.kube/config`
 * @param context left out: the current one
 * @throws KUBERNETES_CONFIG
 */
export async function fromKubeconfig(files: string | undefined, context?: string): Promise<KubeConfiguration> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  const name = files ?? '~/.kube/config'
  try {
    if (files === undefined) config.loadFromDefault()
    else {
      const [first = '', ...others] = files.split(delimiter)
      config.loadFromFile(first)
      for (const file of others) {
        const other = new KubeConfig()
        other.loadFromFile(file)
        config.mergeConfig(other, true)
      }
    }
  } catch (error) {
    throw fail('KUBERNETES_CONFIG', `the kubeconfig ${name} cannot be read: ${messageOf(error)}`, {}, { cause: error })
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      const known = config.getContexts().map((one) => one.name)
      throw fail(
        'KUBERNETES_CONFIG',
        `the kubeconfig ${name} has no context "${context}", but ${known.join(', ') || 'none'}`,
      )
    }
    config.setCurrentContext(context)
  }
  const cluster = config.getCurrentCluster()
  if (cluster === null) {
    throw fail(
      'KUBERNETES_CONFIG',
      `the kubeconfig ${name} has no current context with a cluster: kubectl config use-context NAME`,
    )
  }
  const { ca, cert, key } = await login(config)
  return {
    server: cluster.server.replace(/\/$/, ''),
    namespace: config.getContextObject(config.currentContext)?.namespace ?? 'default',
    tls: {
      ...(ca === undefined ? {} : { ca: Buffer.from(ca as Buffer) }),
      ...(cert === undefined ? {} : { cert: Buffer.from(cert as Buffer) }),
      ...(key === undefined ? {} : { key: Buffer.from(key as Buffer) }),
      ...(cluster.tlsServerName ? certifiedFor(cluster.tlsServerName) : {}),
      ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
    },
    ...(cluster.proxyUrl ? { proxy: cluster.proxyUrl } : {}),
    authorization: async () => authorizationOf(await login(config)),
  }
}

async function login(config: KubeConfig): Promise<RequestOptions> {
  const options: RequestOptions = {}
  try {
    await config.applyToHTTPSOptions(options)
  } catch (error) {
    throw fail('KUBERNETES_CONFIG', `the kubeconfig's login failed: ${messageOf(error)}`, {}, { cause: error })
  }
  return options
}

function authorizationOf({ headers, auth }: RequestOptions): string | null {
  const header = (headers as Record<string, string | string[] | undefined> | undefined)?.Authorization
  if (typeof header === 'string') return header
  return typeof auth === 'string' ? `Basic ${Buffer.from(auth).toString('base64')}` : null
}

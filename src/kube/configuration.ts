/** Where the API server is and who this process is there. */
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { certifiedFor } from '../clients/server-name.ts'
import type { Clock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'

export interface KubeConfiguration {
  /** `https://host:port`, perhaps with a path. */
  server: string
  /** Of the Pod, or of the kubeconfig's context. */
  namespace: string
  tls: { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized?: boolean } & ReturnType<typeof certifiedFor>
  /** An HTTP proxy to the API server, from the kubeconfig. */
  proxy?: string
  /**
   * The Authorization header, or null when the client certificate says enough.
   * @param refused the server did not accept the last one: look for a newer one
   */
  authorization(refused?: boolean): Promise<string | null>
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
/** A projected token is rewritten well before it runs out (kubelet: at 80 % of its life); so often is it read again. */
const TOKEN_AGE_MS = 10_000

/**
 * The Pod's own, where there is one; else the kubeconfig of `KUBECONFIG` or `~/.kube/config`.
 * @param context of the kubeconfig, also in a Pod
 * @throws KUBERNETES_CONFIG
 */
export async function kubeConfiguration({
  clock,
  env = process.env,
  context,
}: {
  clock: Clock
  env?: Record<string, string | undefined>
  context?: string | undefined
}): Promise<KubeConfiguration> {
  if (context === undefined && env.KUBERNETES_SERVICE_HOST !== undefined && env.KUBERNETES_SERVICE_HOST !== '') {
    return await inClusterConfiguration({ clock, env })
  }
  const { fromKubeconfig } = await import('./kubeconfig.ts')
  return await fromKubeconfig({ env, context, clock })
}

/**
 * What every Pod is given: the service's address in its environment, token, CA and namespace as files.
 * (kubernetes.io/docs/tasks/run-application/access-api-from-pod)
 * @throws KUBERNETES_CONFIG
 */
export async function inClusterConfiguration({
  clock,
  env,
  dir = SERVICE_ACCOUNT,
}: {
  clock: Clock
  env: Record<string, string | undefined>
  dir?: string
}): Promise<KubeConfiguration> {
  const host = env.KUBERNETES_SERVICE_HOST ?? ''
  const port = env.KUBERNETES_SERVICE_PORT ?? '443'
  const read = async (file: string): Promise<Buffer> => {
    try {
      return await readFile(join(dir, file))
    } catch (error) {
      throw fail(
        'KUBERNETES_CONFIG',
        `${join(dir, file)} cannot be read (${messageOf(error)}): does the Pod's ServiceAccount have automountServiceAccountToken: false?`,
        {},
        { cause: error },
      )
    }
  }
  const [ca, namespace] = [await read('ca.crt'), (await read('namespace')).toString().trim()]
  let token = ''
  let readAt = Number.NEGATIVE_INFINITY
  const authorization = async (refused = false): Promise<string> => {
    if (refused || clock.monotonic() - readAt >= TOKEN_AGE_MS) {
      token = (await read('token')).toString().trim()
      readAt = clock.monotonic()
    }
    return `Bearer ${token}`
  }
  await authorization()
  return { server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`, namespace, tls: { ca }, authorization }
}

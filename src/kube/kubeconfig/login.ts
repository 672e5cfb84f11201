/** How a kubeconfig's user logs in: by a certificate, a token, a password, what a program says, or OpenID Connect. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { bytesOf, type Entry } from './files.ts'
import { openIdToken } from './oidc.ts'

export interface Login {
  cert?: Buffer | undefined
  key?: Buffer | undefined
  /** As {@link KubeConfiguration} has it. */
  authorization(refused?: boolean): Promise<string | null>
}

/** What a program prints (kubernetes.io/docs/reference/config-api/client-authentication.v1). */
interface Credential {
  token?: string
  clientCertificateData?: string
  clientKeyData?: string
  expirationTimestamp?: string
}

export interface LoginOptions {
  /** Left out: nobody in particular. */
  user?: Entry | undefined
  cluster: Entry
  /** A program gets it. */
  env: Record<string, string | undefined>
  clock: Clock
}

/** @throws KUBERNETES_CONFIG, as `authorization` does */
export async function loginOf({ user = { dir: '' }, cluster, env, clock }: LoginOptions): Promise<Login> {
  return await told(async () => {
    if (user.exec) return await byProgram(() => run(user.exec, user.dir, cluster, env), clock)
    const [cert, key] = [await bytesOf(user, 'client-certificate'), await bytesOf(user, 'client-key')]
    const read = headerOf(user, clock)
    return { cert, key, authorization: () => told(read) }
  })
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isVedetteError(error, 'KUBERNETES_CONFIG')) throw error
    throw fail('KUBERNETES_CONFIG', `the kubeconfig's login failed: ${messageOf(error)}`, {}, { cause: error })
  }
}

/** @returns gives the Authorization header */
function headerOf(user: Entry, clock: Clock): () => Promise<string | null> {
  const provider = user['auth-provider']
  if (provider?.name === 'oidc') {
    const token = openIdToken({ ...provider.config, dir: user.dir }, clock)
    return async () => `Bearer ${await token()}`
  }
  if (provider)
    throw new Error(
      `auth-provider ${provider.name} is not known here, nor to kubectl since 1.26: let a program (exec) log in, such as gke-gcloud-auth-plugin or kubelogin`,
    )
  // A file's token may be renewed while we run.
  if (user.tokenFile) return async () => `Bearer ${(await readFile(resolve(user.dir, user.tokenFile), 'utf8')).trim()}`
  if (user.token) return async () => `Bearer ${user.token}`
  if (user.username)
    return async () => `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`
  return async () => null
}

/** What the program says counts until it ends, or until the server refuses it. */
async function byProgram(run: () => Promise<Credential>, clock: Clock): Promise<Login> {
  let last: Promise<Credential> | null = null
  const credential = async (refused = false): Promise<Credential> => {
    const { expirationTimestamp } = (await last?.catch(() => null)) ?? {}
    const ended = expirationTimestamp !== undefined && !(Date.parse(expirationTimestamp) > clock.now())
    if (last === null || refused || ended) {
      const asked = run()
      last = asked
      asked.catch(() => {
        if (last === asked) last = null
      })
    }
    return await last
  }
  const { clientCertificateData, clientKeyData } = await credential()
  return {
    ...(clientCertificateData ? { cert: Buffer.from(clientCertificateData) } : {}),
    ...(clientKeyData ? { key: Buffer.from(clientKeyData) } : {}),
    authorization: (refused) =>
      told(async () => {
        const { token } = await credential(refused)
        return token ? `Bearer ${token}` : null
      }),
  }
}

async function run(exec: any, dir: string, cluster: Entry, env: LoginOptions['env']): Promise<Credential> {
  const { command, args = [], apiVersion, provideClusterInfo, installHint } = exec
  if (!command) throw new Error('exec names no command')
  const spec = { interactive: false, ...(provideClusterInfo ? { cluster: await clusterFor(cluster) } : {}) }
  const KUBERNETES_EXEC_INFO = JSON.stringify({ kind: 'ExecCredential', apiVersion, spec })
  const given = (exec.env ?? []).map((one: { name: string; value: string }) => [one.name, one.value])
  const options = { env: { ...env, ...Object.fromEntries(given), KUBERNETES_EXEC_INFO } }
  try {
    // A path with a slash is meant from the kubeconfig's directory.
    const program = command.includes('/') ? resolve(dir, command) : command
    const { stdout } = await promisify(execFile)(program, args, options)
    return statusIn(stdout)
  } catch (error) {
    // The library's message has the arguments.
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    const ended = typeof code === 'number' ? `it ended with ${code}` : messageOf(error)
    const hint = code === 'ENOENT' && installHint ? `; ${installHint.trim()}` : ''
    throw new Error(`${command}: ${stderr?.trim() || ended}${hint}`)
  }
}

/** What is printed is secret, so no error repeats it. */
function statusIn(stdout: string): Credential {
  let printed: { status?: Credential } | null = null
  try {
    printed = JSON.parse(stdout)
  } catch {}
  if (!printed?.status) throw new Error('it printed no credential')
  return printed.status
}

async function clusterFor(cluster: Entry): Promise<object> {
  const ca = await bytesOf(cluster, 'certificate-authority')
  return {
    server: cluster.server,
    'tls-server-name': cluster['tls-server-name'],
    'insecure-skip-tls-verify': cluster['insecure-skip-tls-verify'],
    'certificate-authority-data': ca?.toString('base64'),
    'proxy-url': cluster['proxy-url'],
    config: cluster.extensions?.find((one: any) => one.name === 'client.authentication.k8s.io/exec')?.extension,
  }
}

/**
 * The Kubernetes binaries and the etcd that belongs to them, built by Go from the module proxy. None of it is our source: a module of
 * nothing but requirements, whose `replace` lines are those of Kubernetes' own go.mod with its staging folders turned into the
 * versions that they are published as.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { installed, serversDir } from '../cache.ts'

export const KUBERNETES_VERSION = '1.37.2'

/** In the order of their use, so that a build that is cut short leaves what most tests need. */
export const apiOnly = ['etcd', 'kube-apiserver'] as const
export const controlPlane = [...apiOnly, 'kube-controller-manager', 'kube-scheduler'] as const
export const nodeBinaries = ['kubelet', 'kubectl', 'kube-proxy'] as const

const DIR = `kubernetes-${KUBERNETES_VERSION}`

/** The folder of the binaries, or null when one of `names` is not built. */
export function kubernetesBinaries(names: readonly string[] = controlPlane): string | null {
  return names.every((name) => installed(DIR, name) !== null) ? join(serversDir(), DIR) : null
}

/**
 * Builds those of `names` that are missing. From an empty Go cache that is about 14 minutes of CPU time and 800 MB of modules.
 * @throws when Go is missing or a build fails
 */
export function installKubernetes(names: readonly string[] = [...controlPlane, ...nodeBinaries]): void {
  const out = join(serversDir(), DIR)
  const module = join(out, 'module')
  mkdirSync(module, { recursive: true })
  const go = (...args: string[]) => {
    execFileSync('go', args, {
      cwd: module,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  }
  writeModule(module)
  go('mod', 'tidy')
  const minor = KUBERNETES_VERSION.split('.')[1]
  const stamp = [`gitVersion=v${KUBERNETES_VERSION}`, 'gitMajor=1', `gitMinor=${minor}`, 'gitTreeState=clean']
    .map((value) => `-X k8s.io/component-base/version.${value}`)
    .join(' ')
  for (const name of names) {
    if (installed(DIR, name) !== null) continue
    const startedMs = performance.now()
    const unfinished = join(out, `${name}.building`)
    go(
      'build',
      '-p',
      String(availableParallelism()),
      '-trimpath',
      '-ldflags',
      `-s -w ${stamp}`,
      '-o',
      unfinished,
      packageOf(name),
    )
    renameSync(unfinished, join(out, name))
    console.log(`  ${name}: ${Math.round((performance.now() - startedMs) / 1000)} s`)
  }
}

const packageOf = (name: string): string =>
  name === 'etcd' ? 'go.etcd.io/etcd/server/v3' : `k8s.io/kubernetes/cmd/${name}`

/** go.mod, and a file that imports the commands so that `go mod tidy` keeps what they need. */
function writeModule(dir: string): void {
  const { GoMod } = JSON.parse(
    execFileSync('go', ['mod', 'download', '-json', `k8s.io/kubernetes@v${KUBERNETES_VERSION}`], {
      cwd: dir,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    }),
  ) as { GoMod: string }
  const theirs = readFileSync(GoMod, 'utf8')
  const goVersion = theirs.match(/^go (\S+)/m)?.[1] ?? '1.26.0'
  const staged = [...theirs.matchAll(/^\s*(\S+) => \.\/staging\//gm)].map(([, name]) => name)
  const version = KUBERNETES_VERSION.replace(/^1\./, '0.')
  if (!existsSync(join(dir, 'go.mod'))) {
    writeFileSync(
      join(dir, 'go.mod'),
      [
        'module kubernetesbinaries',
        `go ${goVersion}`,
        `godebug default=go${goVersion.split('.').slice(0, 2).join('.')}`,
        `require k8s.io/kubernetes v${KUBERNETES_VERSION}`,
        `replace (\n${staged.map((name) => `\t${name} => ${name} v${version}`).join('\n')}\n)`,
        '',
      ].join('\n\n'),
    )
  }
  const commands = [...controlPlane, ...nodeBinaries].map((name) => `\t_ "${packageOf(name)}"`)
  writeFileSync(join(dir, 'tools.go'), `//go:build tools\n\npackage tools\n\nimport (\n${commands.join('\n')}\n)\n`)
}

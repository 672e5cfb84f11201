/**
 * The Kubernetes binaries and the etcd that belongs to them, built by Go from the module proxy. None of it is our source: a module of
 * nothing but requirements, whose `replace` lines are those of Kubernetes' own go.mod with its staging folders turned into the
 * versions that they are published as.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installed, serversDir } from '../cache.ts'

export const KUBERNETES_VERSION = '1.37.2'

/** In the order of their use, so that a build that is cut short leaves what most tests need. */
export const apiOnly = ['etcd', 'kube-apiserver'] as const
export const controlPlane = [...apiOnly, 'kube-controller-manager', 'kube-scheduler'] as const
export const nodeBinaries = ['kubelet', 'kubectl', 'kube-proxy'] as const

/** Of everything below, in the cache of servers. */
export const DIR = `kubernetes-${KUBERNETES_VERSION}`

/** The folder of the binaries, or null when one of `names` is not built. */
export function kubernetesBinaries(names: readonly string[] = controlPlane): string | null {
  return names.every((name) => installed(DIR, name) !== null) ? join(serversDir(), DIR) : null
}

/** The folder of containerd, runc, CNI plugins and nft, as Debian has them, or null. */
export const debianParts = (): string | null => installed(DIR, 'debian')

/** What a node needs beside Kubernetes' own binaries. */
export function installNodeParts(): void {
  const out = join(serversDir(), DIR)
  if (installed(DIR, 'coredns') === null) buildCoreDns(out)
  if (installed(DIR, 'pause') === null) buildPause(out)
  if (debianParts() === null) unpackDebian(join(out, 'debian'))
}

export const nodePartsPresent = (): boolean => kubernetesBinaries(['coredns', 'pause', 'debian']) !== null

/** Why nodes cannot be started here, or false. */
export function withoutNodes(): string | false {
  if (kubernetesBinaries([...controlPlane, ...nodeBinaries]) === null || !nodePartsPresent()) {
    return 'Kubernetes nodes are not installed: npm run servers'
  }
  return process.getuid?.() === 0 ? false : 'Kubernetes nodes need root'
}

/**
 * Builds those of `names` that are missing. From an empty Go cache that is about 14 minutes of CPU time and 800 MB of modules.
 * @throws when Go is missing or a build fails
 */
export function installKubernetes(names: readonly string[] = [...controlPlane, ...nodeBinaries]): void {
  const out = join(serversDir(), DIR)
  const module = join(out, 'module')
  mkdirSync(module, { recursive: true })
  const go = goIn(module)
  writeModule(module)
  go('mod', 'tidy')
  const minor = KUBERNETES_VERSION.split('.')[1]
  const stamp = [`gitVersion=v${KUBERNETES_VERSION}`, 'gitMajor=1', `gitMinor=${minor}`, 'gitTreeState=clean']
    .map((value) => `-X k8s.io/component-base/version.${value}`)
    .join(' ')
  for (const name of names) {
    if (installed(DIR, name) !== null) continue
    buildInto(go, out, name, ['-ldflags', `-s -w ${stamp}`, packageOf(name)])
  }
}

type Go = (...args: string[]) => void

const goIn =
  (module: string): Go =>
  (...args) => {
    execFileSync('go', args, {
      cwd: module,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  }

/** Under its name only when it is whole. */
function buildInto(go: Go, out: string, name: string, args: string[]): void {
  const startedMs = performance.now()
  const unfinished = join(out, `${name}.building`)
  go('build', '-trimpath', '-o', unfinished, ...args)
  renameSync(unfinished, join(out, name))
  console.log(`  ${name}: ${Math.round((performance.now() - startedMs) / 1000)} s`)
}
const COREDNS_VERSION = '1.15.0'

function buildCoreDns(out: string): void {
  const module = join(out, 'coredns-module')
  mkdirSync(module, { recursive: true })
  writeFileSync(
    join(module, 'go.mod'),
    `module coredns\n\ngo 1.26.0\n\nrequire github.com/coredns/coredns v${COREDNS_VERSION}\n`,
  )
  writeFileSync(
    join(module, 'tools.go'),
    '//go:build tools\n\npackage tools\n\nimport _ "github.com/coredns/coredns"\n',
  )
  const go = goIn(module)
  go('mod', 'tidy')
  buildInto(go, out, 'coredns', ['-ldflags', '-s -w', 'github.com/coredns/coredns'])
}

/** The process that holds a Pod's namespaces: waits, and reaps what is orphaned to it. */
function buildPause(out: string): void {
  const module = join(out, 'pause-module')
  mkdirSync(module, { recursive: true })
  writeFileSync(join(module, 'go.mod'), 'module pause\n\ngo 1.26.0\n')
  writeFileSync(
    join(module, 'main.go'),
    `package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		for {
			if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
				break
			}
		}
	}
}
`,
  )
  buildInto(goIn(module), out, 'pause', ['-ldflags', '-s -w', '.'])
}

/** Downloads Debian's packages, with what they depend on and the machine has not, and unpacks them: nothing is installed on the machine. */
function unpackDebian(dir: string): void {
  const unfinished = `${dir}.unpacking`
  mkdirSync(join(unfinished, 'archives', 'partial'), { recursive: true })
  const archives = join(unfinished, 'archives')
  const apt = (...args: string[]) => execFileSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  apt('update', '-qq')
  apt(
    ...['install', '--yes', '--no-install-recommends', '--download-only', '--reinstall'],
    ...['-o', `Dir::Cache::archives=${archives}`, 'containerd', 'runc', 'containernetworking-plugins', 'nftables'],
  )
  for (const file of readdirSync(archives)) {
    if (file.endsWith('.deb')) execFileSync('dpkg', ['-x', join(archives, file), unfinished])
  }
  rmSync(archives, { recursive: true })
  renameSync(unfinished, dir)
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

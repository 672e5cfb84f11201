/** Container images out of files of this machine, without a registry: layers are tar files, an image is a docker archive. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { serversDir } from '../cache.ts'

export interface Image {
  /** `localhost/vedette:test`, and whatever else it is to be known as. */
  names: string[]
  /** Tar files, the lowest first. */
  layers: string[]
  entrypoint: string[]
  /** `uid:gid` */
  user?: string
}

const root = new URL('../../..', import.meta.url).pathname
const tar = (...args: string[]) => execFileSync('tar', ['--owner=0', '--group=0', '--numeric-owner', ...args])

/** Writes `file` as an archive that `ctr images import` takes (github.com/moby/docker-image-spec, v1.2). */
export async function writeImage(file: string, { names, layers, entrypoint, user = '' }: Image): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-image-'))
  const ids = await Promise.all(layers.map(digestOf))
  for (const [i, layer] of layers.entries()) symlinkSync(layer, join(dir, `${i}.tar`))
  const config = JSON.stringify({
    ...{ architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux', created: '2026-01-01T00:00:00Z' },
    config: { Entrypoint: entrypoint, User: user, WorkingDir: '/', Env: ['PATH=/usr/local/bin:/usr/bin:/bin'] },
    rootfs: { type: 'layers', diff_ids: ids.map((id) => `sha256:${id}`) },
  })
  writeFileSync(join(dir, 'config.json'), config)
  const manifest = [{ Config: 'config.json', RepoTags: names, Layers: layers.map((_, i) => `${i}.tar`) }]
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify(manifest))
  tar('--dereference', '-C', dir, '-cf', file, '.')
  rmSync(dir, { recursive: true })
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** The pause container, which every Pod has. @returns the archive */
export async function pauseImage(binary: string, dir: string): Promise<string> {
  const layer = join(dir, 'pause.layer')
  tar('-C', dirname(binary), '-cf', layer, 'pause')
  const file = join(dir, 'pause.tar')
  await writeImage(file, { names: ['localhost/pause:local'], layers: [layer], entrypoint: ['/pause'] })
  return file
}

/** One program with the libraries it is linked to, and what nearly every program looks for. */
export async function programImage(dir: string, name: string, program: string): Promise<string> {
  const [layer, file] = [join(dir, 'program.layer'), join(dir, 'program.tar')]
  layerOfPrograms(layer, { [`/usr/local/bin/${program.slice(program.lastIndexOf('/') + 1)}`]: program })
  const entrypoint = [`/usr/local/bin/${program.slice(program.lastIndexOf('/') + 1)}`]
  await writeImage(file, { names: [name], layers: [layer], entrypoint, user: '1000:1000' })
  return file
}

/** Vedette as it stands here, on its own Node, as user 1000. */
export async function vedetteImage(dir: string, ...names: string[]): Promise<string> {
  const file = join(dir, 'vedette.tar')
  await writeImage(file, {
    names,
    layers: [nodeLayer(), sourceLayer(join(dir, 'vedette.layer'), 'src')],
    entrypoint: ['/app/node', '/app/src/cli/main.ts'],
    user: '1000:1000',
  })
  return file
}

/** Folders of this repository below `/app`, without their tests. @returns the layer */
export function sourceLayer(layer: string, ...folders: string[]): string {
  tar('-C', root, '-cf', layer, '--transform=s,^,app/,S', '--exclude=*.test.ts', ...folders, 'package.json')
  return layer
}

/** Node, a shell and what Vedette is made with: kept in the cache of servers. @returns the layer */
export function nodeLayer(): string {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
    .slice(0, 16)
  const packages = join(serversDir(), `kubernetes-image-${lock}.layer`)
  if (!existsSync(packages)) {
    const unfinished = `${packages}.${process.pid}`
    layerOfPrograms(unfinished, {
      '/app/node': realpathSync(join(root, 'node_modules/.bin/node')),
      '/bin/sh': '/bin/sh',
    })
    tar('-C', root, '-rf', unfinished, '--transform=s,^,app/,S', ...productionPackages())
    renameSync(unfinished, packages)
  }
  return packages
}

/** Folders of `node_modules`, without what only development needs. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; link?: boolean }>
  }
  return Object.entries(packages)
    .filter(([path, { dev, link }]) => path !== '' && !dev && !link && existsSync(join(root, path)))
    .map(([path]) => path)
    .filter((path) => !/node_modules\/.*node_modules/.test(path))
}

/** Programs by the path where they are to be, with the libraries that they are linked to, and what nearly every program looks for. */
export function layerOfPrograms(layer: string, programs: Record<string, string>): void {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-layer-'))
  for (const each of ['etc', 'tmp', 'proc', 'sys', 'dev', 'run']) mkdirSync(join(dir, each))
  execFileSync('chmod', ['1777', join(dir, 'tmp')])
  writeFileSync(join(dir, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nvedette:x:1000:1000::/:/bin/sh\n')
  writeFileSync(join(dir, 'etc/group'), 'root:x:0:\nvedette:x:1000:\n')
  writeFileSync(join(dir, 'etc/nsswitch.conf'), 'hosts: files dns\n')
  const put = (to: string, from: string) => {
    mkdirSync(join(dir, dirname(to)), { recursive: true })
    copyFileSync(from, join(dir, to))
  }
  for (const [to, from] of Object.entries(programs)) {
    put(to, from)
    // ldd names each library by the path where the program looks for it.
    for (const [library] of librariesOf(from)) put(library as string, library as string)
  }
  tar('-C', dir, '-cf', layer, '.')
  rmSync(dir, { recursive: true })
}

function librariesOf(program: string): RegExpMatchArray[] {
  try {
    return [
      ...execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).matchAll(/\/\S+/g),
    ]
  } catch {
    // Statically linked.
    return []
  }
}

/** Where an author's volumes may not be mounted: over, into or around what the process loads code from. */

/** Code, and what says where code is: of the image, of the loader, of OpenSSL, and where modules are looked for outside of it. */
const CODE = [
  ...['/app', '/node_modules', '/.node_modules', '/.node_libraries'],
  ...['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'],
  ...['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'libexec'].flatMap((dir) => [
    `/usr/${dir}`,
    `/usr/local/${dir}`,
  ]),
  ...['/etc/ld.so.preload', '/etc/ld.so.cache', '/etc/ld.so.conf', '/etc/ld.so.conf.d', '/etc/ssl/openssl.cnf'],
  ...['/proc', '/sys', '/dev'],
]

/** Kinds of volumes whose files the kubelet writes: nobody has put a symbolic link into them that leads out. */
const WRITTEN_BY_KUBELET = ['configMap', 'secret', 'projected', 'downwardAPI', 'emptyDir']

interface Volume {
  name?: unknown
  [source: string]: unknown
}

/** As the container's runtime takes it: absolute, without `.`, `..` and doubled slashes. */
export function normalPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

const isInside = (path: string, dir: string) => dir === '/' || path === dir || path.startsWith(`${dir}/`)

/**
 * Why the mount is refused, as the rest of a sentence; null: it is not.
 * @param mounts all of the template, this one among them
 */
export function mountRefused(mount: unknown, mounts: readonly unknown[], volumes: readonly unknown[]): string | null {
  const at = pathOf(mount)
  if (at === null) return null
  const code = CODE.find((dir) => isInside(at, dir) || isInside(dir, at))
  if (code !== undefined) return `would take the place of code that the process loads (${code})`
  const around = mounts.find((one) => {
    const other = pathOf(one)
    return other !== null && other !== at && isInside(at, other) && mayLeadOut(one, volumes)
  })
  if (around === undefined) return null
  return `is inside ${pathOf(around)}, a volume that may have a symbolic link there to anywhere`
}

function pathOf(mount: unknown): string | null {
  const path = (mount as { mountPath?: unknown } | null)?.mountPath
  return typeof path === 'string' && path !== '' ? normalPath(path) : null
}

function mayLeadOut(mount: unknown, volumes: readonly unknown[]): boolean {
  const { name } = mount as { name?: unknown }
  const volume = volumes.find((one) => (one as Volume | null)?.name === name) as Volume | undefined
  return volume !== undefined && !WRITTEN_BY_KUBELET.some((kind) => volume[kind] != null)
}

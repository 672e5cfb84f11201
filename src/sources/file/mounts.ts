/** Which file system a directory is on: on network ones the kernel does not tell what others change. */
import { readFile, realpath } from 'node:fs/promises'

const NETWORK = new Set(
  'nfs nfs4 cifs smb3 smbfs 9p ceph afs lustre glusterfs virtiofs vboxsf prl_fs beegfs gpfs ocfs2 gfs2 orangefs fuse'.split(
    ' ',
  ),
)

/**
 * The file system type of the directory when it is a network one (or FUSE, behind which there may be one), else null.
 * Null too where the system does not say (no Linux).
 */
export async function networkFileSystem(directory: string): Promise<string | null> {
  try {
    const type = mountedType(await readFile('/proc/self/mountinfo', 'utf8'), await realpath(directory))
    return type !== null && (NETWORK.has(type) || type.startsWith('fuse.')) ? type : null
  } catch {
    return null
  }
}

/** The type of the innermost mount that holds `path`; the format is in proc_pid_mountinfo(5). */
export function mountedType(mountinfo: string, path: string): string | null {
  let best: { length: number; type: string } | null = null
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ')
    const type = fields[fields.indexOf('-') + 1]
    const point = fields[4]?.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    if (point === undefined || type === undefined) continue
    const inside = point === '/' || path === point || path.startsWith(`${point}/`)
    // the later line wins: it is mounted on top
    if (inside && point.length >= (best?.length ?? 0)) best = { length: point.length, type }
  }
  return best?.type ?? null
}

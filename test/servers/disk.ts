/** A disk for tests (disk/disk.c): slow syncs, and a log of all that is written and synced. Linux with a C compiler. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('./disk/disk.c', import.meta.url))

export interface DiskOptions {
  /** How the names of the files end that it is for. */
  file: string
  /** A sync takes so long at least, milliseconds. */
  delayMs?: number
  /** The log is to hold the bytes, too. */
  bytes?: boolean
}

export interface Disk {
  /** For the environment of a process that is to have this disk; its children have it, too. */
  readonly env: Record<string, string>
  /** What has been done so far. */
  operations(): Operation[]
}

export interface Operation {
  /** `durable`: a write that is on disk when it returns. */
  kind: 'write' | 'durable' | 'sync' | 'truncate'
  /** Milliseconds of the machine's monotonic clock, as `diskMs`. */
  begunMs: number
  endedMs: number
  offset: number
  /** Of a write, when the log holds the bytes. */
  bytes: Buffer
}

const KINDS = ['write', 'durable', 'sync', 'truncate'] as const
const HEAD = 48

/** Now, on the clock of the operations. */
export const diskMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** @returns a reason when there can be none */
export function makeDisk(
  t: Pick<TestContext, 'after'>,
  { file, delayMs = 0, bytes = false }: DiskOptions,
): Disk | { cannot: string } {
  if (process.platform !== 'linux') return { cannot: 'the disk for tests is made on Linux only' }
  const dir = mkdtempSync(join(tmpdir(), 'vedette-disk-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const [library, log] = [join(dir, 'disk.so'), join(dir, 'log')]
  try {
    execFileSync('cc', ['-O1', '-shared', '-fPIC', '-o', library, SOURCE, '-ldl', '-lpthread'], { stdio: 'pipe' })
  } catch (error) {
    return { cannot: `the disk for tests needs a C compiler (cc): ${(error as Error).message.split('\n')[0]}` }
  }
  return {
    env: {
      LD_PRELOAD: library,
      VEDETTE_DISK_FILE: file,
      VEDETTE_DISK_LOG: log,
      VEDETTE_DISK_DELAY_US: String(delayMs * 1000),
      VEDETTE_DISK_BYTES: bytes ? '1' : '0',
    },
    operations: () => (existsSync(log) ? [...parse(readFileSync(log))] : []),
  }
}

function* parse(log: Buffer): Generator<Operation> {
  for (let at = 0; at + HEAD <= log.byteLength; ) {
    const [kind, begun, ended, offset, , length] = [0, 8, 16, 24, 32, 40].map((place) =>
      log.readBigUInt64LE(at + place),
    ) as bigint[]
    const bytes = log.subarray(at + HEAD, at + HEAD + Number(length))
    if (bytes.byteLength < Number(length)) return
    yield {
      kind: KINDS[Number(kind) - 1] as Operation['kind'],
      begunMs: Number(begun) / 1e6,
      endedMs: Number(ended) / 1e6,
      offset: Number(offset),
      bytes,
    }
    at += HEAD + bytes.byteLength
  }
}

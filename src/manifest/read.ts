/** Files, directories and standard input → text, before anything is parsed. */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { fail } from '../core/errors.ts'

/** Bytes in one file; larger ones are not read to their end. */
const MAX_BYTES = 10_000_000

export interface ManifestFile {
  file: string
  text: string
}

/**
 * Reads manifests: `-` is standard input, a directory stands for its `*.yaml`, `*.yml` and `*.json`, sorted.
 * @throws MANIFEST_INVALID that names every path that cannot be read, is too large, or holds no manifests
 */
export async function readManifestFiles(
  paths: string[],
  { stdin = process.stdin }: { stdin?: NodeJS.ReadableStream } = {},
): Promise<ManifestFile[]> {
  const problems: string[] = []
  const files: ManifestFile[] = []
  for (const file of await expand(paths, problems)) {
    try {
      const stream = file === '-' ? stdin : createReadStream(file)
      files.push({ file: file === '-' ? '<stdin>' : file, text: await readText(stream as AsyncIterable<Buffer>) })
    } catch (error) {
      problems.push(`${file}: ${reason(error)}`)
    }
  }
  if (problems.length > 0) throw fail('MANIFEST_INVALID', problems.join('\n'), { paths })
  return files
}

async function expand(paths: string[], problems: string[]): Promise<string[]> {
  const files = new Set<string>()
  for (const given of paths) {
    try {
      const directory = given !== '-' && (await stat(given)).isDirectory()
      const found = directory ? await manifestsIn(given) : [given]
      if (found.length === 0) problems.push(`${given}: the directory holds no *.yaml, *.yml or *.json`)
      for (const file of found) files.add(file)
    } catch (error) {
      problems.push(`${given}: ${reason(error)}`)
    }
  }
  return [...files]
}

async function manifestsIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => /\.(ya?ml|json)$/i.test(name) && !name.startsWith('.'))
  const files: string[] = []
  for (const name of names.sort()) {
    const file = path.join(directory, name)
    if ((await stat(file)).isFile()) files.push(file)
  }
  return files
}

async function readText(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    const buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    bytes += buffer.length
    if (bytes > MAX_BYTES) {
      throw fail('MANIFEST_INVALID', `larger than ${MAX_BYTES / 1e6} MB: this is no manifest, or split it into several`)
    }
    chunks.push(buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file or directory'
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
  return message
}

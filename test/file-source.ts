/** The type `file` served in the harness, in directories that go with the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'node:test'
import type { Predecessor } from '../src/source.ts'
import type { FilePosition } from '../src/sources/file/serve.ts'
import file from '../src/sources/file.ts'
import { type Harness, serveInHarness } from './harness.ts'

export type Running = Harness<FilePosition>
export const open: { running: Running[]; directories: string[] } = { running: [], directories: [] }

afterEach(async () => {
  for (const running of open.running.splice(0)) await running.stop()
  for (const directory of open.directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

export function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'vedette-file-'))
  open.directories.push(made)
  return made
}

export function specOf(dir: string, eventType: string, more: Record<string, unknown> = {}) {
  const { pathRegexp, path, ...rest } = { pathRegexp: undefined, path: undefined, ...more }
  const which = path === undefined ? { pathRegexp: pathRegexp ?? '.*' } : { path }
  return { eventType, watchPathConfig: { directory: dir, ...which }, ...rest }
}

/** Serves and waits for the first table. */
export async function serving(
  spec: unknown,
  from: { snapshot?: Uint8Array | null; resume?: FilePosition | null; predecessor?: Predecessor | null } = {},
): Promise<Running> {
  const running = serveInHarness(file, spec, from)
  open.running.push(running)
  await running.until((h) => h.snapshot !== null && h.conditions.includes(null))
  return running
}

export const payloads = (running: Running) => running.emitted.map(({ text }) => text)
export const names = (running: Running) => payloads(running).map((text) => (JSON.parse(text) as { name: string }).name)
export const lastPosition = (running: Running) =>
  running.emitted.at(-1)?.position ?? running.advanced.at(-1) ?? running.context.resume()

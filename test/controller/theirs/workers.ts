/** What their leader does for an entry of each type: it begins at its own now, and what happens while nobody leads is lost. */
import { existsSync, watch } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../../src/core/clock.ts'
import { createKubeClient } from '../../../src/kube/client.ts'
import { kubeConfiguration } from '../../../src/kube/configuration.ts'
import type { KubeObject } from '../../../src/kube/resources.ts'
import { goTimeString } from '../../../src/sources/calendar/go-time.ts'
import { loadZone } from '../../../src/sources/calendar/zone.ts'
import { eventPayload, objectJson } from '../../../src/sources/resource/payload.ts'

export interface Work {
  spec: any
  signal: AbortSignal
  publish(data: Uint8Array): Promise<void>
}

export type Worker = (work: Work) => Promise<void>

/** What could not be published is written into the log, and lost. */
const told = async ({ publish }: Work, text: string): Promise<void> =>
  publish(Buffer.from(text)).catch((error) => console.error(`Failed to publish an event: ${error}`))

const utc = loadZone('UTC')

/** Of a whole number of seconds: at the whole second after the last tick. What is due while one is published comes at once afterwards. */
async function calendar(work: Work): Promise<void> {
  const everyMs = Number(/^(\d+)s$/.exec(work.spec.interval)![1]) * 1_000
  let lastMs = Date.now()
  while (!work.signal.aborted) {
    const dueMs = Math.floor(lastMs / 1_000) * 1_000 + everyMs
    while (!work.signal.aborted && Date.now() < dueMs) await pause(Math.max(1, Math.min(10, dueMs - Date.now())))
    if (work.signal.aborted) return
    const late = Date.now() - dueMs > 100
    lastMs = late ? dueMs : Date.now()
    await told(work, JSON.stringify({ eventTime: goTimeString(lastMs, utc, performance.now()) }))
  }
}

/** By inotify; told one after the other. */
async function file(work: Work): Promise<void> {
  const directory = path.normalize(work.spec.watchPathConfig.directory)
  let before = Promise.resolve()
  const seen = new Set<string>()
  const watcher = watch(directory, (event, name) => {
    if (event !== 'rename' || name === null || seen.has(name)) return
    const at = path.join(directory, name)
    if (!existsSync(at)) return
    seen.add(name)
    before = before.then(() => told(work, JSON.stringify({ name: at, op: 1, metadata: null })))
  })
  work.signal.addEventListener('abort', () => watcher.close())
}

/** An informer: all that is there first, each as added, unless only what comes after the start is asked for. */
async function resource(work: Work): Promise<void> {
  const { spec, signal } = work
  const client = createKubeClient(await kubeConfiguration({ clock: systemClock }), systemClock)
  const { group = '', version, resource: plural, namespace } = spec
  const watched = { group, version, plural, kind: '', namespaced: true }
  const labels = (spec.filter?.labels ?? []) as { key: string; value: string }[]
  const labelSelector = labels.map(({ key, value }) => `${key}=${value}`).join()
  const startMs = Date.now()
  const add = (object: KubeObject) => {
    const late = Date.parse(object.metadata.creationTimestamp!) < startMs
    if (spec.filter?.afterStart === true && late) return Promise.resolve()
    return told(work, eventPayload('ADD', { body: objectJson(object), oldBody: null }, spec))
  }
  const { items, resourceVersion } = await client.list(watched, { namespace, labelSelector })
  for (const object of items) if (!signal.aborted) await add(object)
  let at = resourceVersion
  while (!signal.aborted) {
    try {
      for await (const { type, object } of client.watch(watched, {
        namespace,
        labelSelector,
        resourceVersion: at,
        signal,
      })) {
        at = object.metadata.resourceVersion ?? at
        if (type === 'ADDED') await add(object)
      }
    } catch (error) {
      if (signal.aborted) return
      console.error(`watching: ${error}`)
      await pause(1_000)
    }
  }
}

export const workers: Record<string, Worker> = { calendar, file, resource }

/** What tests of the exchange have in common: the command line, and two controllers of which the one works whose Deployment has a Pod. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { runController } from '../../src/controller/controller.ts'
import { readSettings } from '../../src/controller/settings.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { resources } from '../../src/kube/resources.ts'
import type { Kubernetes } from '../servers/kubernetes.ts'
import { freePorts } from '../servers/process.ts'
import { asTheirController, type Golden, THEIR_IMAGE } from './argo-events.ts'
import type { Plain } from './rig.ts'

export const IMAGE = 'localhost/vedette:test'
export const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts')

export interface Ran {
  code: number
  out: string
  err: string
}

export const envOf = ({ kubeconfig }: Kubernetes) => ({
  ...process.env,
  ...{ KUBECONFIG: kubeconfig, KUBERNETES_SERVICE_HOST: '' },
})

/** `vedette` from here, as the administrator. */
export function vedetteAt(kubernetes: Kubernetes): (...args: string[]) => Promise<Ran> {
  return (...args) =>
    new Promise((resolve) => {
      execFile(process.execPath, [main, ...args], { env: envOf(kubernetes), maxBuffer: 1 << 24 }, (error, out, err) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, out, err }),
      )
    })
}

/**
 * Where Pods do not run: ours in this process, theirs as far as it touches objects. Never both, or what stops them rejects.
 * @param home where both are @param namespaced ours looks after its own namespace only
 */
export function playControllers(
  kubernetes: Kubernetes,
  goldens: readonly Golden[],
  { home = 'argo-events', namespaced = false }: { home?: string; namespaced?: boolean } = {},
): () => Promise<void> {
  const { client } = kubernetes
  const end = new AbortController()
  const ours: { stop: AbortController; over: Promise<void> }[] = []
  const stop = async () => {
    for (const { stop, over } of ours.splice(0)) {
      stop.abort()
      await over
    }
  }
  const look = async (): Promise<void> => {
    const { items } = await client.list(resources.pods, { namespace: home })
    const running = items.map(({ spec }) => (spec as Plain).containers[0] as Plain)
    const theirs = running.some(({ image, args }) => image === THEIR_IMAGE && args?.[0] === 'controller')
    const wanted = running.some(({ image, args }) => image === IMAGE && args?.[0] === 'controller')
    assert.ok(!(theirs && wanted), 'two controllers at a time')
    if (wanted && ours.length === 0) ours.push(await start(kubernetes, home, namespaced))
    if (!wanted) await stop()
    if (theirs) for (const golden of goldens) await asTheirController(client, golden)
  }
  let failure: unknown
  const run = (async () => {
    while (!end.signal.aborted) {
      await look().catch((error) => {
        if (error instanceof assert.AssertionError) failure ??= error
      })
      await pause(200)
    }
    await stop()
  })()
  return async () => {
    end.abort()
    await run
    if (failure !== undefined) throw failure
  }
}

async function start({ client, dir }: Kubernetes, home: string, namespaced: boolean) {
  const [healthPort, metricsPort] = (await freePorts(2)) as [number, number]
  // As its Pod has it mounted.
  const place = { namespace: home, name: 'argo-events-controller-config' }
  const config = (await client.get(resources.configmaps, place)) as Plain
  const file = path.join(dir, 'controller-config.yaml')
  writeFileSync(file, config.data['controller-config.yaml'])
  const settings = await readSettings({ VEDETTE_IMAGE: IMAGE }, file)
  const stop = new AbortController()
  const over = runController(
    {
      ...{ client, home, identity: 'ours', election: false, host: '127.0.0.1', healthPort, metricsPort },
      ...(namespaced ? { namespace: home } : {}),
      ...{ clock: systemClock, log: silentLogger, settings: () => settings, podMetrics: async () => null },
    },
    stop.signal,
  )
  over.catch(() => {})
  return { stop, over }
}

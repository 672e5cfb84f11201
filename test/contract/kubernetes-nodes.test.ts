/** The test cluster itself: a node that really runs Pods from images made here, with Services and DNS. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { resources } from '../../src/kube/resources.ts'
import { FULL } from '../full.ts'
import { withoutNodes } from '../servers/kubernetes/build.ts'
import { programImage, vedetteImage } from '../servers/kubernetes/images.ts'
import { startKubernetes } from '../servers/kubernetes.ts'
import { natsBinary } from '../servers/nats.ts'
import { until } from './bus.ts'

// Not in the default run: it takes half a minute, and a gigabyte of memory.
const register = FULL ? test : () => {}

register(
  'a Pod of the Vedette image reaches a nats-server Pod by the name of its Service',
  {
    skip: withoutNodes(),
    timeout: 300_000,
  },
  async (t: TestContext) => {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-images-'))
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    const nats = await programImage(dir, 'localhost/nats:test', natsBinary('newest')!)
    const cluster = await startKubernetes({
      nodes: 1,
      images: [nats, await vedetteImage(dir, 'localhost/vedette:test')],
    })
    t.after(() => cluster.stop())
    const pod = (name: string, container: object) => ({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels: { app: name } } },
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', imagePullPolicy: 'Never', ...container }] },
    })
    const service = { selector: { app: 'nats' }, ports: [{ port: 4222 }] }
    await cluster.client.create(resources.services, {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'nats', namespace: 'default' }, spec: service },
    })
    await cluster.client.create(resources.pods, pod('nats', { image: 'localhost/nats:test' }))
    const greeted = `const again = () => require('node:net').connect(4222, 'nats.default.svc.cluster.local')
    .once('data', () => process.exit(0)).once('error', () => setTimeout(again, 500)); again()`
    await cluster.client.create(
      resources.pods,
      pod('greeted', { image: 'localhost/vedette:test', command: ['/app/node', '-e', greeted] }),
    )
    await cluster.client.create(resources.pods, pod('types', { image: 'localhost/vedette:test', args: ['types'] }))
    const phase = async (name: string) => {
      const found = await cluster.client.get(resources.pods, { namespace: 'default', name })
      return (found?.status as { phase?: string } | undefined)?.phase
    }
    await until('it was greeted', async () => (await phase('greeted')) === 'Succeeded', 60_000)
    await until('the command line ran', async () => (await phase('types')) === 'Succeeded', 60_000)
    assert.equal(await phase('nats'), 'Running')
  },
)

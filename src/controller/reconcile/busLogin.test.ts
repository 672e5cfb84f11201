/** Which login an EventSource gets, by what the servers say of it and for how long it has waited. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import type { KubeObject } from '../../kube/resources.ts'
import type { Cluster } from '../cluster.ts'
import { dated } from '../conditions.ts'
import { authConf } from '../eventBus/natsConf.ts'
import { readAuth, userSecretName, withUsers, writeAuth } from '../eventBus/users.ts'
import { eventSourceObjects } from '../eventSource.ts'
import { permissionsOf, withOwnLogin } from '../ownLogin.ts'
import { settingsFrom } from '../settings.ts'
import { busLogin } from './busLogin.ts'
import { readObject } from './read.ts'

const NOW = Date.parse('2026-12-01T12:00:00Z')
const SINCE = NOW - 10_000
const shared = { jetstream: { url: 'nats://n:4222', accessSecret: { name: 'all', key: 'client-auth' } } }
const planned = { ours: shared, ownLogins: true }
const settings = settingsFrom({})

const object = (entries: string[], status?: object): KubeObject => {
  const one = (name: string) => ({ port: '12000', endpoint: `/${name}`, method: 'POST' })
  const webhook = Object.fromEntries(entries.map((name) => [name, one(name)]))
  const metadata = { name: 'mine', namespace: 'ns', uid: 'u' }
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'EventSource',
    metadata,
    spec: { webhook },
    ...(status ? { status } : {}),
  }
}
const sourceIn = async (of: KubeObject) => (await readObject(of)).source!

/** The file of a bus that has made the user for these entries. */
async function fileFor(entries: string[]): Promise<string> {
  const permissions = await permissionsOf(await sourceIn(object(entries)))
  const users = [{ user: 'ns/mine', password: 'secret', permissions }]
  return writeAuth(withUsers(readAuth(authConf('u', 'p', 's')), users, SINCE))!
}

/** @param servers what each says, by when its Pod was made */
function clusterOf(auth: string, servers: [created: number, says: number | string][] = []): Cluster {
  const items = servers.map(([created], i) => ({
    metadata: { name: `s-${i}`, creationTimestamp: new Date(created).toISOString() },
    status: { phase: 'Running', podIP: `${i}` },
  }))
  const client = {
    get: async () => ({ data: { auth: Buffer.from(auth).toString('base64') } }),
    list: async () => ({ items }),
  }
  const clock = { ...systemClock, now: () => NOW }
  const readUsers = async (ip: string) => servers[Number(ip)]![1]
  return { client, clock, readUsers, settings: () => settings } as unknown as Cluster
}

async function loginOf(cluster: Cluster, of: KubeObject, deployment?: KubeObject) {
  const found = await busLogin(cluster, of, await sourceIn(of), planned, deployment)
  if (found.waits !== undefined) return found.waits.map(({ type, message }) => `${type}: ${message}`).join()
  return [found.bus.jetstream!.accessSecret!.name, found.warning?.reason]
}

/** As it was deployed with a login of its own. */
async function deployed(entries: string[]): Promise<KubeObject> {
  const source = await sourceIn(object(entries))
  return eventSourceObjects({ source, bus: withOwnLogin(shared, source), settings }).find(
    ({ kind }) => kind === 'Deployment',
  )!
}

/** Of an EventSource that has waited so long. */
const waiting = (ms: number, status: 'Unknown' | 'True' = 'Unknown') => ({
  conditions: dated([{ type: 'BusLogin', status }], undefined, NOW - ms),
})
const own = userSecretName('default', 'mine')
const OLD = SINCE - 60_000

suite('the login of an EventSource', () => {
  test('its own when each server has read the file, or was started after it was written', async () => {
    const file = await fileFor(['a'])
    assert.deepEqual(await loginOf(clusterOf(file), object(['a'])), [own, undefined])
    const known = clusterOf(file, [
      [OLD, SINCE],
      [OLD, SINCE + 5],
      [SINCE + 1_000, 'nobody answers'],
    ])
    assert.deepEqual(await loginOf(known, object(['a'])), [own, undefined])
    const unknown = clusterOf(file, [
      [OLD, SINCE],
      [OLD, SINCE - 1],
    ])
    assert.match(
      String(await loginOf(unknown, object(['a']))),
      /^Deployed: s-1 does not know its login yet.*BusLogin: s-1/,
    )
  })

  test('no user yet, or not for all of its entries: it waits', async () => {
    assert.match(String(await loginOf(clusterOf(authConf('u', 'p', 's')), object(['a']))), /has not made its login yet/)
    const file = await fileFor(['a'])
    assert.match(String(await loginOf(clusterOf(file), object(['a', 'b']))), /does not let it do all that it needs yet/)
  })

  test('what runs as it should is asked nothing', async () => {
    const nobody = clusterOf('')
    assert.deepEqual(await loginOf(nobody, object(['a']), await deployed(['a'])), [own, undefined])
    assert.match(String(await loginOf(nobody, object(['b']), await deployed(['a']))), /has not made its login/)
  })

  test('after three minutes it goes on with the best that there is, and gets better when it can', async () => {
    const behind = clusterOf(await fileFor(['a']), [[OLD, 0]])
    assert.match(String(await loginOf(behind, object(['a'], waiting(170_000)))), /does not know/)
    for (const status of [waiting(190_000), waiting(0, 'True')]) {
      assert.deepEqual(await loginOf(behind, object(['a'], status)), ['all', 'Shared'])
      assert.deepEqual(await loginOf(behind, object(['a'], status), await deployed(['b'])), [own, 'NotYetKnown'])
      const silent = clusterOf(await fileFor(['a']), [[OLD, 'nobody answers']])
      assert.deepEqual(await loginOf(silent, object(['a'], status)), [own, undefined])
      assert.match(String(await loginOf(silent, object(['a']))), /s-0 does not say/)
    }
  })

  test('what cannot be found out is waited for', async () => {
    const cluster = clusterOf('')
    cluster.client.get = async () => {
      throw new Error('forbidden')
    }
    assert.match(String(await loginOf(cluster, object(['a']))), /cannot be found out: forbidden/)
    assert.deepEqual(await loginOf(cluster, object(['a'], waiting(190_000))), ['all', 'Shared'])
  })
})

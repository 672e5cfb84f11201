import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { freePorts } from '../../test/servers/process.ts'
import { systemClock } from '../core/clock.ts'
import { type ErrorCode, isVedetteError, type VedetteError } from '../core/errors.ts'
import { type Answer, pod, refuse, startFakeApi } from './api.fixture.ts'
import { createKubeClient, type KubeClient } from './client.ts'
import { inClusterConfiguration, kubeConfiguration } from './configuration.ts'
import { pathOf, resourceOf, resources } from './resources.ts'

const { leases, pods } = resources
const lease = (resourceVersion?: string) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'l', ...(resourceVersion === undefined ? {} : { resourceVersion }) },
})

suite('calls to the API server', { timeout: 60_000 }, () => {
  const closing: (() => unknown)[] = []
  after(() => Promise.all(closing.map((close) => close())))

  const api = async (answer: Answer) => {
    const fake = await startFakeApi(answer)
    closing.push(() => fake.close())
    return fake
  }

  /** The error that `call` ends with. */
  const failing = async (answer: Answer, call: (client: KubeClient) => Promise<unknown>): Promise<VedetteError> => {
    const error = await call((await api(answer)).client).catch((error) => error)
    assert.ok(isVedetteError(error), String(error))
    return error
  }
  const code = async (wanted: ErrorCode, answer: Answer, call: (client: KubeClient) => Promise<unknown>) =>
    assert.equal((await failing(answer, call)).code, wanted)

  const get = (client: KubeClient) => client.get(leases, { name: 'l' })
  const update = (client: KubeClient) => client.update(leases, lease('1'))
  const create = (client: KubeClient) => client.create(leases, lease())

  test('go to the place of the object, in the namespace it names or the own one', async () => {
    const { client, requests } = await api((_, response) => response.end('{"items":[],"metadata":{}}'))
    await client.get(leases, { namespace: 'other', name: 'l/x' })
    await client.get(resources.nodes, { namespace: 'other', name: 'n' })
    await client.list(pods, { labelSelector: 'a=b,c!=d' })
    await client.list(pods, { namespace: 'other', pageSize: 7 })
    await create(client)
    await update(client)
    await client.apply(pods, pod('p', ''), { manager: 'me' })
    await client.applyStatus(pods, pod('p', ''), { manager: 'me', force: false })
    await client.delete(pods, { name: 'p' })
    assert.deepEqual(requests, [
      'GET /apis/coordination.k8s.io/v1/namespaces/other/leases/l%2Fx',
      'GET /api/v1/nodes/n',
      'GET /api/v1/pods?labelSelector=a%3Db%2Cc%21%3Dd&limit=500',
      'GET /api/v1/namespaces/other/pods?limit=7',
      'POST /apis/coordination.k8s.io/v1/namespaces/ns/leases',
      'PUT /apis/coordination.k8s.io/v1/namespaces/ns/leases/l',
      'PATCH /api/v1/namespaces/ns/pods/p?fieldManager=me&force=true',
      'PATCH /api/v1/namespaces/ns/pods/p/status?fieldManager=me&force=false',
      'DELETE /api/v1/namespaces/ns/pods/p',
    ])
  })

  test('an object that is not there is null, a kind that is not there an error', async () => {
    const { client } = await api((_, response) => refuse(response, 404, 'NotFound'))
    assert.equal(await get(client), null)
    assert.equal(await update(client), null)
    assert.equal(await client.delete(leases, { name: 'l' }), false)
    const error = await failing((_, response) => {
      response.statusCode = 404
      response.end('404 page not found\n')
    }, get)
    assert.equal(error.code, 'KUBERNETES_INVALID')
    assert.match(error.message, /CustomResourceDefinition/)
  })

  test('a refusal names verb, resource, namespace and the Role that is wanting', async () => {
    const said =
      'leases.coordination.k8s.io "l" is forbidden: User "system:serviceaccount:ns:sa" cannot update resource'
    const error = await failing((_, response) => refuse(response, 403, 'Forbidden', said), update)
    assert.equal(error.code, 'KUBERNETES_FORBIDDEN')
    assert.equal(
      error.message,
      `could not update leases.coordination.k8s.io "l" in namespace "ns": ${said}. ` +
        'Add to a Role of this ServiceAccount: apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["update"]',
    )
    const all = await failing(
      (_, response) => refuse(response, 403, 'Forbidden'),
      (client) => client.list(pods),
    )
    assert.match(all.message, /in all namespaces: .* ClusterRole .*resources: \["pods"\], verbs: \["list"\]/)
  })

  test('what admission forbids is not for want of a Role', async () => {
    for (const said of [
      'jobs.batch "x" is forbidden: unable to create new content in namespace ns because it is being terminated',
      'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
      'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged',
      'admission webhook "w.example.com" denied the request: no',
    ]) {
      const { code, message } = await failing((_, response) => refuse(response, 403, 'Forbidden', said), create)
      assert.equal(code, 'KUBERNETES_FORBIDDEN')
      assert.ok(message.endsWith(said), message)
    }
  })

  test('a refusal names what is really wanting: the verb that the server missed, the rights that would be granted, those of the owner', async () => {
    const apply = (client: KubeClient) =>
      client.apply(leases, { ...lease(), metadata: { name: 'l', ownerReferences: [owner] } }, { manager: 'me' })
    const owner = { apiVersion: 'argoproj.io/v1alpha1', kind: 'EventSource', name: 'e', uid: 'u' }
    const held = 'user "sa" (groups=["a"]) is attempting to grant RBAC permissions not currently held:\n'
    for (const [said, rules] of [
      [
        'leases.coordination.k8s.io "l" is forbidden: User "sa" cannot create resource "leases" in API group "coordination.k8s.io"',
        'apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"]',
      ],
      [
        `${held}{APIGroups:["a.io"], Resources:["as"], ResourceNames:["x"], Verbs:["get" "update"]}\n{APIGroups:[""], Resources:["pods"], Verbs:["list"]}`,
        'apiGroups: ["a.io"], resources: ["as"], verbs: ["get" "update"]; apiGroups: [""], resources: ["pods"], verbs: ["list"]',
      ],
      [
        "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>",
        'apiGroups: ["argoproj.io"], resources: ["eventsources/finalizers"], verbs: ["update"]',
      ],
    ] as const) {
      const { message } = await failing((_, response) => refuse(response, 403, 'Forbidden', said), apply)
      assert.ok(message.endsWith(`Add to a Role of this ServiceAccount: ${rules}`), message)
    }
  })

  test('say what the server said', async () => {
    await code('KUBERNETES_CONFLICT', (_, response) => refuse(response, 409, 'Conflict'), update)
    await code('KUBERNETES_CONFLICT', (_, response) => refuse(response, 409, 'AlreadyExists'), create)
    await code('KUBERNETES_INVALID', (_, response) => refuse(response, 422, 'Invalid', 'spec.x: wrong'), create)
    await code('KUBERNETES_UNAVAILABLE', (_, response) => refuse(response, 429, 'TooManyRequests'), update)
    await code('KUBERNETES_GONE', (_, response) => refuse(response, 410, 'Expired'), get)
  })

  test('a change that may have been made all the same is of unknown outcome; a read is not', async () => {
    const broken: Answer[] = [
      (_, response) => refuse(response, 500, 'InternalError'),
      (_, response) => refuse(response, 504, 'Timeout'),
      (_, response) => {
        response.statusCode = 502
        response.end('<html>bad gateway')
      },
      (request) => request.socket.destroy(),
      (_, response) => response.end('{"metadata":'),
      () => {},
    ]
    for (const answer of broken) {
      await code('OUTCOME_UNKNOWN', answer, (client) => client.update(leases, lease('1'), { timeoutMs: 200 }))
      await code('KUBERNETES_UNAVAILABLE', answer, (client) => client.get(leases, { name: 'l' }, { timeoutMs: 200 }))
    }
  })

  test('what was never sent has not been done', async () => {
    const [port] = await freePorts(1)
    const nobody = createKubeClient(
      { server: `https://127.0.0.1:${port}`, namespace: 'ns', tls: {}, authorization: async () => null },
      systemClock,
    )
    const error = await update(nobody).catch((error) => error)
    assert.equal(error.code, 'KUBERNETES_UNAVAILABLE')
    assert.match(error.message, /ECONNREFUSED/)
    await nobody.close()
  })

  test('a call ends with its signal, before and meanwhile', async () => {
    const { client } = await api(() => {})
    const stop = new AbortController()
    const waiting = client.get(leases, { name: 'l' }, { signal: stop.signal })
    const reason = new Error('enough')
    stop.abort(reason)
    await assert.rejects(waiting, (error) => error === reason)
    await assert.rejects(client.get(leases, { name: 'l' }, { signal: stop.signal }), (error) => error === reason)
  })

  test('a token that the server no longer takes is read again, once', async () => {
    const seen: unknown[] = []
    const { client } = await api((request, response) => {
      seen.push(request.headers.authorization)
      if (request.headers.authorization === 'Bearer new') response.end('{}')
      else refuse(response, 401, 'Unauthorized')
    })
    assert.deepEqual(await get(client), {})
    assert.deepEqual(seen, ['Bearer old', 'Bearer new'])
    const error = await failing((_, response) => refuse(response, 401, 'Unauthorized'), get)
    assert.equal(error.code, 'KUBERNETES_FORBIDDEN')
    assert.doesNotMatch(error.message, /old|new/)
  })

  test('a list is read page by page, and says the kind of each item; pages that have expired are read in one', async () => {
    let expires = false
    const { client, requests } = await api((request, response) => {
      const query = new URL(request.url!, 'http://x').searchParams
      const from = Number(query.get('continue') ?? 0)
      const limit = Number(query.get('limit') ?? 10)
      if (expires && from > 0) return refuse(response, 410, 'Expired')
      const items = [0, 1, 2, 3, 4].slice(from, from + limit).map((i) => ({ metadata: { name: `p${i}` } }))
      const next = from + limit < 5 ? { continue: String(from + limit) } : {}
      response.end(JSON.stringify({ items, metadata: { resourceVersion: '42', ...next } }))
    })
    const whole = await client.list(pods, { pageSize: 2 })
    assert.deepEqual(
      whole.items.map(({ kind, apiVersion, metadata }) => `${apiVersion} ${kind} ${metadata.name}`),
      [0, 1, 2, 3, 4].map((i) => `v1 Pod p${i}`),
    )
    assert.equal(whole.resourceVersion, '42')
    assert.equal(requests.length, 3)
    expires = true
    assert.deepEqual(await client.list(pods, { pageSize: 2 }), whole)
    assert.equal(requests.length, 6)
  })
})

suite('configuration', () => {
  test("in a Pod: the service's address, and a token that is read anew", async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-account-'))
    const write = (name: string, text: string) => writeFileSync(join(dir, name), text)
    write('ca.crt', 'CA')
    write('namespace', 'prod\n')
    write('token', 'one\n')
    const clock = fakeClock()
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
    const configuration = await inClusterConfiguration({ clock, env, dir })
    assert.equal(configuration.server, 'https://[fd00::1]:6443')
    assert.equal(configuration.namespace, 'prod')
    assert.equal(configuration.tls.ca?.toString(), 'CA')
    write('token', 'two')
    assert.equal(await configuration.authorization(), 'Bearer one')
    await clock.advance(10_000)
    assert.equal(await configuration.authorization(), 'Bearer two')
    write('token', 'three')
    assert.equal(await configuration.authorization(true), 'Bearer three')
    rmSync(dir, { recursive: true })
    await assert.rejects(configuration.authorization(true), { code: 'KUBERNETES_CONFIG' })
    await assert.rejects(inClusterConfiguration({ clock, env, dir }), /automountServiceAccountToken/)
  })

  test('outside: the kubeconfigs, whose mistakes are told', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-kubeconfig-'))
    const config = (name: string, parts: object) => {
      const file = join(dir, name)
      writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...parts }))
      return file
    }
    const ca = Buffer.from('CA').toString('base64')
    const one = config('one', {
      clusters: [{ name: 'c', cluster: { server: 'https://h:1/prefix/', 'certificate-authority-data': ca } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'team' } }],
      'current-context': 'x',
    })
    const two = config('two', { users: [{ name: 'u', user: { token: 'T' } }] })
    const found = await kubeConfiguration({ clock: systemClock, env: { KUBECONFIG: `${one}:${two}` } })
    assert.equal(found.server, 'https://h:1/prefix')
    assert.equal(found.namespace, 'team')
    assert.equal(found.tls.ca?.toString(), 'CA')
    assert.equal(await found.authorization(), 'Bearer T')
    const other = config('other', {
      clusters: [{ name: 'd', cluster: { server: 'https://i:2' } }],
      contexts: [{ name: 'y', context: { cluster: 'd', user: 'u' } }],
    })
    const env = { KUBECONFIG: `${one}:${two}:${other}`, KUBERNETES_SERVICE_HOST: 'in-a-pod' }
    const named = await kubeConfiguration({ clock: systemClock, env, context: 'y' })
    assert.deepEqual([named.server, named.namespace], ['https://i:2', 'default'])
    await assert.rejects(kubeConfiguration({ clock: systemClock, env, context: 'z' }), /has no context "z", but x, y/)
    const none = config('none', {})
    for (const [file, wanted] of [
      [none, /no current context/],
      [join(dir, 'missing'), /cannot be read/],
    ] as const) {
      await assert.rejects(kubeConfiguration({ clock: systemClock, env: { KUBECONFIG: file } }), (error) => {
        assert.ok(isVedetteError(error, 'KUBERNETES_CONFIG'))
        assert.match(error.message, wanted)
        return true
      })
    }
    rmSync(dir, { recursive: true })
  })
})

test('paths and kinds', () => {
  assert.equal(
    pathOf(resources.eventbus, { namespace: 'a', name: 'b' }),
    '/apis/argoproj.io/v1alpha1/namespaces/a/eventbus/b',
  )
  assert.equal(pathOf(resources.nodes, { namespace: 'a' }), '/api/v1/nodes')
  assert.equal(resourceOf({ apiVersion: 'apps/v1', kind: 'Deployment' }), resources.deployments)
  assert.equal(resourceOf({ apiVersion: 'apps/v2', kind: 'Deployment' }), null)
})

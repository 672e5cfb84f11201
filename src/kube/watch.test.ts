import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, suite, test } from 'node:test'
import { until } from '../../test/contract/bus.ts'
import { systemClock } from '../core/clock.ts'
import { silentLogger } from '../core/log.ts'
import { line, pod, refuse, startFakeApi } from './api.fixture.ts'
import { createInformer, type InformerOptions } from './informer.ts'
import { lines } from './lines.ts'
import { type KubeObject, resources } from './resources.ts'
import type { WatchEvent } from './watch.ts'

const { pods } = resources

suite('a watch', { timeout: 30_000 }, () => {
  const closing: (() => unknown)[] = []
  after(() => Promise.all(closing.map((close) => close())))

  /** Everything that one watch gives, and the error it ends with. */
  async function watched(answer: (response: ServerResponse) => void, silenceMs = 5_000) {
    const api = await startFakeApi((_, response) => answer(response))
    closing.push(() => api.close())
    const events: WatchEvent[] = []
    let error: unknown = null
    try {
      for await (const event of api.client.watch(pods, { resourceVersion: '1', silenceMs })) events.push(event)
    } catch (caught) {
      error = caught
    }
    return {
      events: events.map(({ type, object }) => `${type} ${object.metadata.name ?? object.metadata.resourceVersion}`),
      error,
      api,
    }
  }
  const code = (error: unknown) => (error as { code?: string })?.code

  test('asks for bookmarks after the resourceVersion, in a namespace or in all', async () => {
    const { events, error, api } = await watched((response) => {
      response.write(line('ADDED', pod('a', '2')))
      response.write(line('BOOKMARK', { metadata: { resourceVersion: '7' } }))
      response.end(line('DELETED', pod('a', '8')))
    })
    assert.deepEqual(events, ['ADDED a', 'BOOKMARK 7', 'DELETED a'])
    assert.equal(error, null)
    assert.match(
      api.requests[0]!,
      /^GET \/api\/v1\/pods\?watch=1&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=\d{3}$/,
    )
  })

  test('takes whole lines only, however they come, and nothing of one that is cut off', async () => {
    const text = Buffer.from(line('ADDED', pod('grün-€', '2')) + line('MODIFIED', pod('b', '3')))
    const { events, error } = await watched(async (response) => {
      for (const byte of text) {
        response.write(Buffer.from([byte]))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.write(line('DELETED', pod('b', '4')).slice(0, 40))
      setTimeout(() => response.destroy(), 50)
    })
    assert.deepEqual(events, ['ADDED grün-€', 'MODIFIED b'])
    assert.equal(code(error), 'KUBERNETES_UNAVAILABLE')
  })

  test('that falls silent is ended', async () => {
    const from = performance.now()
    const { events, error } = await watched((response) => response.write(line('ADDED', pod('a', '2'))), 300)
    assert.deepEqual(events, ['ADDED a'])
    assert.equal(error, null)
    assert.ok(performance.now() - from < 5_000)
  })

  test('from too old a resourceVersion is told so, both ways that the server has', async () => {
    const status = { kind: 'Status', reason: 'Expired', message: 'too old resource version', code: 410 }
    assert.equal(code((await watched((response) => response.end(line('ERROR', status)))).error), 'KUBERNETES_GONE')
    assert.equal(code((await watched((response) => refuse(response, 410, 'Expired'))).error), 'KUBERNETES_GONE')
  })

  test('that is refused or answered with nonsense says so, and quotes nothing', async () => {
    const forbidden = (await watched((response) => refuse(response, 403, 'Forbidden'))).error
    assert.match(String(forbidden), /ClusterRole .*verbs: \["watch"\]/)
    const { error } = await watched((response) => response.end('{"data":"hunter2"\n'))
    assert.equal(code(error), 'KUBERNETES_UNAVAILABLE')
    assert.doesNotMatch(String(error), /hunter2/)
    const other = (await watched((response) => response.end(line('ERROR', { kind: 'Status', code: 500 })))).error
    assert.equal(code(other), 'KUBERNETES_UNAVAILABLE')
  })

  test('a line without end does not fill the memory', async () => {
    const endless = async function* () {
      for (;;) yield Buffer.alloc(1024, 'x')
    }
    await assert.rejects(async () => {
      for await (const _ of lines(endless(), 10_000));
    }, RangeError)
  })

  test('ends with its signal', async () => {
    const api = await startFakeApi((_, response) => void response.write(line('ADDED', pod('a', '2'))))
    closing.push(() => api.close())
    const stop = new AbortController()
    const reason = new Error('enough')
    await assert.rejects(
      async () => {
        const options = { resourceVersion: '1', signal: stop.signal }
        for await (const _ of api.client.watch(pods, options)) setTimeout(() => stop.abort(reason), 10)
      },
      (error) => error === reason,
    )
  })
})

suite('an informer', { timeout: 30_000 }, () => {
  /** An API whose objects the test sets; each watch is handed to it. */
  async function rig(
    t: { after(work: () => unknown): void },
    { silenceMs = 5_000, index }: Pick<InformerOptions, 'silenceMs' | 'index'> = {},
  ) {
    let version = 10
    const objects = new Map<string, string>()
    const watches: { response: ServerResponse; from: string | null }[] = []
    let lists = 0
    let refusing: ((response: ServerResponse) => void) | null = null
    let mayList = false
    const api = await startFakeApi((request, response) => {
      const query = new URL(request.url!, 'http://x').searchParams
      if (refusing !== null && (query.has('watch') || !mayList)) return refusing(response)
      if (query.has('watch')) {
        response.flushHeaders()
        watches.push({ response, from: query.get('resourceVersion') })
        return
      }
      lists++
      const items = [...objects].map(([name, resourceVersion]) => ({
        metadata: { name, namespace: 'ns', resourceVersion },
      }))
      response.end(JSON.stringify({ items, metadata: { resourceVersion: String(version) } }))
    })
    const informer = createInformer({
      ...{ client: api.client, resource: pods, clock: systemClock, log: silentLogger, silenceMs, index },
    })
    const changes: string[] = []
    informer.onChange((key) => changes.push(`${key} ${informer.get(key)?.metadata.resourceVersion ?? 'gone'}`))
    const stop = new AbortController()
    const running = informer.run(stop.signal)
    t.after(async () => {
      stop.abort()
      await running
      await api.close()
    })
    return {
      informer,
      changes,
      objects,
      watches,
      lists: () => lists,
      refuseWith(how: typeof refusing, options: { mayList?: boolean } = {}) {
        refusing = how
        mayList = options.mayList ?? false
      },
      bump: () => String(++version),
      watching: (count: number) => until(`watch ${count}`, () => watches.length >= count),
    }
  }

  test('lists, then follows; the same state is told once', async (t) => {
    const { informer, changes, objects, watches, watching } = await rig(t)
    objects.set('a', '1')
    assert.equal(informer.synced, false)
    await informer.whenSynced()
    await watching(1)
    assert.equal(watches[0]!.from, '10')
    const { response } = watches[0]!
    response.write(line('ADDED', pod('a', '1')))
    response.write(line('ADDED', pod('b', '11')))
    response.write(line('MODIFIED', pod('a', '12')))
    response.write(line('DELETED', pod('b', '13')))
    await until('all told', () => changes.length === 4)
    assert.deepEqual(changes, ['ns/a 1', 'ns/b 11', 'ns/a 12', 'ns/b gone'])
    assert.deepEqual(
      [...informer.values()].map(({ metadata }) => metadata.name),
      ['a'],
    )
  })

  test('a stream that ends goes on from the last bookmark; one that breaks too', async (t) => {
    const { informer, watches, watching, lists } = await rig(t)
    await watching(1)
    watches[0]!.response.end(line('BOOKMARK', { metadata: { resourceVersion: '99' } }))
    await watching(2)
    assert.equal(watches[1]!.from, '99')
    watches[1]!.response.write(line('ADDED', pod('a', '100')))
    await until('told', () => informer.get('ns/a') !== undefined)
    watches[1]!.response.destroy()
    await watching(3)
    assert.equal(watches[2]!.from, '100')
    assert.equal(lists(), 1)
  })

  test('from too old a state it lists again, and tells what changed and went meanwhile', async (t) => {
    const { changes, objects, watches, watching, bump } = await rig(t)
    for (const name of ['a', 'b', 'c']) objects.set(name, '1')
    await watching(1)
    changes.length = 0
    objects.delete('a')
    objects.set('b', '2')
    bump()
    watches[0]!.response.end(line('ERROR', { kind: 'Status', reason: 'Expired', code: 410 }))
    await watching(2)
    assert.equal(watches[1]!.from, '11')
    assert.deepEqual(changes.sort(), ['ns/a gone', 'ns/b 2'])
  })

  test('a silent stream is made anew', async (t) => {
    const { watches, watching } = await rig(t, { silenceMs: 200 })
    await watching(3)
    assert.deepEqual(new Set(watches.map(({ from }) => from)), new Set(['10']))
  })

  test('streams that never give anything are no reason to trust the resourceVersion: it lists again', async (t) => {
    const { watches, lists } = await rig(t)
    const timer = setInterval(() => {
      for (const { response } of watches.splice(0)) refuse(response, 504, 'Timeout', 'Too large resource version')
    }, 10)
    t.after(() => clearInterval(timer))
    await until('listed again', () => lists() >= 2)
  })

  test('finds objects by its index, also when their value changes', async (t) => {
    const index = ({ metadata }: KubeObject) => metadata.labels?.app
    const { informer, watches, watching } = await rig(t, { index })
    const labelled = (name: string, version: string, app?: string) => {
      const { metadata, ...rest } = pod(name, version)
      return { ...rest, metadata: { ...metadata, ...(app === undefined ? {} : { labels: { app } }) } }
    }
    const of = (app: string) =>
      informer.indexed(app).map(({ metadata: { name, resourceVersion } }) => name + resourceVersion)
    await watching(1)
    const { response } = watches[0]!
    response.write(line('ADDED', labelled('a', '11', 'x')))
    response.write(line('ADDED', labelled('b', '12', 'x')))
    response.write(line('ADDED', labelled('c', '13')))
    await until('told', () => informer.get('ns/c') !== undefined)
    assert.deepEqual(of('x'), ['a11', 'b12'])
    response.write(line('MODIFIED', labelled('a', '14', 'y')))
    response.write(line('MODIFIED', labelled('c', '15', 'y')))
    response.write(line('DELETED', labelled('b', '16', 'x')))
    await until('told', () => informer.get('ns/b') === undefined)
    assert.deepEqual([of('x'), of('y')], [[], ['a14', 'c15']])
  })

  test('that may list and not watch says so all the time', async (t) => {
    const { informer, lists, refuseWith } = await rig(t)
    refuseWith((response) => refuse(response, 403, 'Forbidden', 'no'), { mayList: true })
    await until('it has said so', () => /verbs: \["watch"\]/.test(informer.trouble ?? ''))
    const before = lists()
    await until('it has listed again', () => {
      assert.match(informer.trouble ?? '', /verbs: \["watch"\]/)
      return lists() > before + 1
    })
    refuseWith(null)
    await until('nothing is wrong any more', () => informer.trouble === null)
  })

  test('says what is wrong as long as it is', async (t) => {
    const { informer, refuseWith } = await rig(t)
    refuseWith((response) => refuse(response, 403, 'Forbidden', 'no'))
    await until('told', () => /ClusterRole/.test(informer.trouble ?? ''))
    assert.equal(informer.synced, false)
    refuseWith(null)
    await informer.whenSynced()
    await until('nothing is wrong any more', () => informer.trouble === null)
  })
})

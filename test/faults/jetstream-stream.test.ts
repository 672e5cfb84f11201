/** The stream itself: full, limited, deleted, without its leader; its users, its messages' size, its readers, and a namesake. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { assertSameHosts, assertSameLead, assertSteadyLead, beats, goesOn, leadOf } from './load.ts'
import { ordersUrl } from './orders.ts'
import { killIfThere, nextLeader, waitFor } from './rig.ts'
import { startCrowd } from './senders.ts'
import { readStream } from './stream-log.ts'
import { faultTable } from './table.ts'
import { clockOf } from './ticks.ts'
import { judge, judgeLog, startWorld } from './world.ts'

faultTable({ section: 'NATS JetStream', group: 'Stream' }, [
  {
    fault:
      'the stream full for 10 s, `discard: new`: senders get 503, nothing is skipped, all goes on when there is room',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, stream: { maxmsgs: 600, discard: 1 } })
      const { nc, rig, crowd } = world
      const hosts = await rig.hostPids()
      await waitFor(async () => (crowd.statuses.get(503) ?? 0) > 20, 30_000)
      await pause(full ? 10_000 : 6_000)
      assert.equal(crowd.refusals.withoutRetryAfter, 0)
      const jsm = await jetstreamManager(nc)
      await jsm.streams.update('default', { max_msgs: 1_000_000 })
      await goesOn(world)
      await assertSameHosts(world, hosts)
      await assertSteadyLead(world)
      return await judge(world)
    },
  },
  {
    fault: 'the stream drops its oldest (`maxmsgs: 300`) while the serving replica is killed',
    replicas: [3, 2],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, senders: 0, stream: { maxmsgs: 300 } })
      const { rig, nc } = world
      const jsm = await jetstreamManager(nc)
      // A mirror without limits keeps all there ever was, under the same sequence numbers.
      await jsm.streams.add({ name: 'copy', mirror: { name: 'default' }, num_replicas: 3 } as Parameters<
        typeof jsm.streams.add
      >[0])
      let leader = await world.leader()
      for (let i = 0; i < (full ? 5 : 2); i++) {
        await pause(1_600)
        killIfThere(leader.pid)
        leader = await nextLeader(rig, 'clock', leader)
        await goesOn(world)
      }
      assert.equal(await rig.stop(), 0)
      const left = await readStream(nc)
      const lastSeq = async (stream: string) => (await jsm.streams.info(stream)).state.last_seq
      await waitFor(async () => (await lastSeq('copy')) === (await lastSeq('default')))
      const log = await readStream(nc, 'copy')
      assert.ok(log.events.length > left.events.length + 100, 'it has dropped many')
      assert.ok(left.records.length > 0, 'the record is still there')
      return judgeLog(log, [], beats)
    },
  },
  {
    fault: 'the stream deleted, and made anew by the run: the row of ticks goes on',
    replicas: [3],
    async run(t, replicas) {
      const world = await startWorld(t, { replicas })
      const { nc, rig } = world
      const [lead, hosts] = [await leadOf(world), await rig.hostPids()]
      await world.crowd.stop()
      const { pid } = await world.leader()
      // It stands still while the stream is copied, but not for so long that another would lead.
      process.kill(pid, 'SIGSTOP')
      await pause(150)
      const before = await readStream(nc)
      const jsm = await jetstreamManager(nc)
      await jsm.streams.delete('default')
      process.kill(pid, 'SIGCONT')
      const crowd = startCrowd(t, ordersUrl(rig), { senders: 10, pauseMs: 50, name: 'later', attemptTimeoutMs: 15_000 })
      await goesOn({ ...world, crowd }, 30_000)
      await pause(1_000)
      await crowd.stop()
      await assertSameHosts(world, hosts)
      await assertSameLead(world, lead)
      assert.equal(await rig.stop(), 0)
      const after = await readStream(nc)
      assert.ok(after.records[0]!.seq > before.events.at(-1)!.seq, 'sequence numbers do not repeat')
      const log = {
        events: [...before.events, ...after.events],
        records: [...before.records, ...after.records],
      }
      return judgeLog(log, [...world.crowd.acknowledged, ...crowd.acknowledged], beats)
    },
  },
  {
    fault: 'a stream of one replica without its server for 10 s, while the lock can be reached',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, {
        replicas,
        stream: { replicas: 1 },
        async prepare(nc) {
          const jsm = await jetstreamManager(nc, { checkAPI: false })
          const add = (bucket: string) =>
            jsm.streams.add({
              ...{ name: `KV_${bucket}`, subjects: [`$KV.${bucket}.>`], num_replicas: 3, max_msgs_per_subject: 1 },
              ...{ discard: 'new', allow_rollup_hdrs: true, deny_delete: true, allow_direct: true },
            } as Parameters<typeof jsm.streams.add>[0])
          // The cluster may have no leader yet.
          await waitFor(
            () =>
              Promise.all(['vedette', 'vedette-leases'].map(add)).then(
                () => true,
                () => false,
              ),
            30_000,
          )
        },
      })
      const hosts = await world.rig.hostPids()
      const server = await world.streamLeader()
      await server.kill()
      await pause(full ? 10_000 : 6_000)
      await server.restart()
      await goesOn(world)
      await assertSameHosts(world, hosts)
      // It may have been the leader's own server that died.
      await assertSteadyLead(world)
      return await judge(world)
    },
  },
  {
    fault: 'credentials rotated under load: the old ones are refused from then on',
    replicas: [3],
    async run(t, replicas) {
      const dir = mkdtempSync(join(tmpdir(), 'vedette-secrets-'))
      t.after(() => rmSync(dir, { recursive: true, force: true }))
      mkdirSync(join(dir, 'nats'))
      const give = (user: string) =>
        writeFileSync(join(dir, 'nats', 'auth'), `username: ${user}\npassword: p-${user}\n`)
      const users = (...names: string[]) =>
        `authorization { users: [${names.map((name) => `{ user: ${name}, password: p-${name} }`).join(', ')}] }`
      give('old')
      const world = await startWorld(t, {
        replicas,
        server: users('test', 'old'),
        login: { user: 'test', pass: 'p-test' },
        bus: '    accessSecret: { name: nats, key: auth }\n',
        args: ['--secrets', dir],
      })
      const { nats, rig } = world
      const hosts = await rig.hostPids()
      give('new')
      await nats.configure(users('test', 'new'))
      await goesOn(world)
      await pause(1_000)
      await goesOn(world)
      await assertSameHosts(world, hosts)
      await assertSteadyLead(world)
      return await judge(world)
    },
  },
  {
    fault: 'an event in the middle of each batch is too large for the bus, and the serving replica is killed',
    replicas: [3],
    async run(t, replicas, full) {
      const manifest = `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: clock
spec:
  replicas: ${replicas}
  calendar:
${beats
  .flatMap(({ entry, everyMs }, i) => [
    `    ${entry}:\n      interval: ${everyMs}ms\n`,
    ...(i === 3
      ? [`    large:\n      interval: ${everyMs}ms\n      metadata:\n        text: ${'x'.repeat(20_000)}\n`]
      : []),
  ])
  .join('')}`
      const world = await startWorld(t, { replicas, server: 'max_payload: 16KB', clock: manifest })
      const { rig } = world
      let leader = await world.leader()
      for (let i = 0; i < (full ? 4 : 1); i++) {
        await pause(1_200)
        killIfThere(leader.pid)
        leader = await nextLeader(rig, 'clock', leader)
        await goesOn(world)
      }
      const large = async () => {
        const clock = (await rig.status()).eventSources.find(({ name }) => name === 'clock')!
        return clock.entries.find(({ name }) => name === 'large')!
      }
      // The new leader has to meet one first: its account is its own.
      await waitFor(async () => /skipped event/.test((await large()).error ?? ''))
      assert.equal((await large()).published, 0)
      return await judge(world)
    },
  },
  {
    fault: 'two namespaces with equal names on one bus, the leaders of both killed',
    replicas: [3, 2],
    async run(t, replicas, full) {
      const others = beats.map((entry) => ({ ...entry, namespace: 'other' }))
      const world = await startWorld(t, { replicas, documents: [clockOf(replicas, others, { namespace: 'other' })] })
      const { rig } = world
      for (let i = 0; i < (full ? 5 : 2); i++) {
        await pause(1_200)
        const clocks = (await rig.status()).eventSources.filter(({ name }) => name === 'clock')
        assert.equal(clocks.length, 2)
        for (const { entries, replicas: all } of clocks) {
          const leading = all.find(({ id }) => id === entries[0]!.leader)
          if (leading?.pid != null) killIfThere(leading.pid)
        }
        await goesOn(world)
      }
      return await judge(world, [...beats, ...others])
    },
  },
  {
    fault: 'a Sensor reads through kills of the serving replica: every event reaches it once, in order',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas })
      const { nc, rig } = world
      const jsm = await jetstreamManager(nc)
      // As Argo Events' Sensors have it: a durable pull consumer per dependency, new events only, explicit acks, one at a time.
      await jsm.consumers.add('default', {
        durable_name: 'group-3445561685',
        filter_subject: 'default.clock.beat0',
        deliver_policy: 'new',
        ack_policy: 'explicit',
      } as Parameters<typeof jsm.consumers.add>[1])
      const consumer = await jetstream(nc).consumers.get('default', 'group-3445561685')
      const seen: string[] = []
      let reading = true
      const read = async () => {
        for (;;) {
          const message = await consumer.next({ expires: 1_000 })
          if (message !== null) {
            seen.push(message.headers?.get('Nats-Msg-Id') ?? '')
            await message.ackAck()
          } else if (!reading) return
        }
      }
      const done = read()
      let leader = await world.leader()
      for (let i = 0; i < (full ? 8 : 2); i++) {
        await pause(1_200)
        killIfThere(leader.pid)
        leader = await nextLeader(rig, 'clock', leader)
        await goesOn(world)
      }
      const verdict = await judge(world)
      reading = false
      await done
      const { events } = await readStream(nc)
      const ids = events.filter(({ subject }) => subject === 'default.clock.beat0').map(({ event }) => event.id)
      assert.ok(seen.length > 10)
      assert.deepEqual(
        seen,
        ids.slice(ids.indexOf(seen[0]!)),
        'what the Sensor got is what the log has, from its start on',
      )
      return { ...verdict, note: `${seen.length} events reached it` }
    },
  },
])

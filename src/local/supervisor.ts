/**
 * `vedette run`: one supervisor that holds the pieces together. It owns no event and no position: when it dies, its hosts end,
 * and the next run begins a new incarnation, after which nothing of the old one is stored.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { type DeliverTo, type Delivery, parseTarget, startDelivery } from '../api/deliver.ts'
import { createMetricSums } from '../api/metrics.ts'
import { createReaders } from '../api/readers.ts'
import { judgeServed } from '../api/served.ts'
import { createApi } from '../api/server.ts'
import { shownRun } from '../api/shown.ts'
import type { Bus } from '../bus/bus.ts'
import { systemClock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { Logger, LogLevel } from '../core/log.ts'
import { identify } from '../core/processes.ts'
import type { Redactor } from '../core/redact.ts'
import type { ListenerSettings } from '../runtime/http/settings.ts'
import { hidingSecrets, localSecrets } from '../runtime/secrets.ts'
import { awaitReady } from './awaitReady.ts'
import { takeDataDir } from './dataDir.ts'
import { ofDisk } from './disk.ts'
import { openFailoverLog } from './failoverLog.ts'
import { createHosts } from './hosts.ts'
import { assignmentOf, brief, hostCount, loadObjects, type Objects } from './objects.ts'
import { readingBy } from './reading.ts'
import { createRemovals } from './removals.ts'
import { createRun } from './run.ts'
import { type RunBus, startRunBus } from './runBus.ts'
import { version } from './version.ts'
import { watchPaths } from './watch.ts'
import { whenConnected } from './whenConnected.ts'

export interface RunOptions {
  files: string[]
  data: string
  /** Of the API. */
  listen: { host: string; port: number }
  /** Who may read over it, and how many at a time. */
  reading: { tokenFile: string | undefined; open: boolean; most: number }
  /** Of the sources' listeners. */
  bind: string
  listeners: ListenerSettings
  secretsDir: string | undefined
  deliver: DeliverTo | undefined
  logLevel: LogLevel
  log: Logger
  redactor: Redactor
  /** Where the hosts' log lines go; null: straight to stderr. */
  onHostLog: ((text: string) => void) | null
}

/** A run that has begun. */
export interface Supervisor {
  readonly status: ReturnType<typeof createRun>['status']
  readonly bus: Bus
  readonly api: string
  /** Resolves once every listener accepts, and every other entry serves or shows an error; see {@link judgeServed}. */
  readonly ready: Promise<void>
  /** Resolves when it has stopped; rejects when it cannot go on. */
  readonly ended: Promise<void>
  /** Drains. Called again: ends at once, without draining. */
  stop(): void
}

const STOP_PATIENCE_MS = 20_000
const RECORD_AGAIN_MS = 5000
const clock = systemClock

/** @throws MANIFEST_INVALID, DATA_DIR_IN_USE, PORT_IN_USE, STORE_CORRUPT, STORE_TOO_NEW, USAGE */
export async function startSupervisor(options: RunOptions): Promise<Supervisor> {
  const { log, listen, redactor } = options
  if (options.deliver !== undefined) parseTarget(options.deliver.url, options.deliver)
  let objects = await loadObjects(options.files, redactor)
  sayNotices(objects, log)
  const dataDir = await takeDataDir(options.data)
  const undo: (() => Promise<unknown> | unknown)[] = [() => dataDir.release()]
  try {
    return await assemble()
  } catch (error) {
    for (const step of undo.reverse()) await Promise.resolve(step()).catch(() => {})
    throw ofDisk(error, options.data)
  }

  async function assemble(): Promise<Supervisor> {
    const sums = createMetricSums()
    let problems: string[] = []
    let started = false
    let stopping = false
    const becomeReady = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    end.promise.catch(() => {})

    let busPid: number | undefined
    let recording = true
    let runBus: RunBus | null = null
    const notePids = () => {
      const pids = [busPid, ...hosts.pids()]
      const children = pids.flatMap((pid) => (pid === undefined ? [] : (identify(pid) ?? [])))
      dataDir.update({ children }).catch((error: unknown) => {
        if (!recording) return
        recording = false
        log.warn('run.json could not be written; it is tried again', { error })
        clock.after(RECORD_AGAIN_MS, () => {
          recording = true
          if (!stopping) notePids()
        })
      })
    }
    const hosts = createHosts({
      dir: dataDir.dir,
      config: (index) => ({
        index,
        bus: runBus!.address,
        bind: options.bind,
        listeners: options.listeners,
        secretsDir: options.secretsDir,
        logLevel: options.logLevel,
      }),
      clock,
      log,
      onLog: options.onHostLog,
      onPids: notePids,
      onReport() {
        const seen = hosts.view()
        started ||= seen.length >= hostCount(objects.manifest) && seen.every(({ reports }) => reports.size > 0)
        awaited.look()
      },
      onFailover(failover) {
        failovers.add(failover)
      },
      onGone: (life) => sums.gone(life),
    })
    undo.push(() => hosts.kill())
    const judge = () => judgeServed(objects.manifest.eventSources, hosts.view(), objects.facts)
    const awaited = awaitReady({ judge, clock, log, onReady: becomeReady.resolve })
    undo.push(() => awaited.end())

    // the port first: a second run on it should fail before it has touched anything
    const server = await listenOn(listen)
    undo.push(() => {
      server.close()
      server.closeAllConnections()
    })
    const readTokens = readingBy(options.reading, server.address() as AddressInfo, { clock, log, data: dataDir.dir })
    // who asks before there is an answer waits for it
    const begun = Promise.withResolvers<Server>()
    server.on('request', (request, response) => {
      void begun.promise.then((api) => response.destroyed || api.emit('request', request, response))
    })
    const { secrets, configMaps } = objects.manifest
    const secretStore = localSecrets({ secrets, configMaps, dir: options.secretsDir })
    runBus = await startRunBus({
      object: objects.bus,
      dir: dataDir.dir,
      secrets: hidingSecrets(secretStore, redactor),
      socket: dataDir.socket('bus.sock'),
      clock,
      log,
      onPid(pid) {
        busPid = pid
        notePids()
      },
    })
    undo.push(() => runBus?.stop())
    const outer = runBus
    outer.failed.catch(async (error: unknown) => {
      hosts.kill()
      await dataDir.release().catch(() => {})
      end.reject(error)
    })
    const { bus } = outer
    await whenConnected(bus)
    const failovers = await openFailoverLog(bus.kv, log)
    const delivery: Delivery | null =
      options.deliver === undefined
        ? null
        : await startDelivery({
            bus,
            clock,
            log,
            redactor,
            userAgent: `vedette/${version()}`,
            // a bus outside has several runs
            owner: outer.address.object === null ? '' : `${hostname()}:${dataDir.dir}`,
            ...options.deliver,
          })
    undo.push(() => delivery?.stop())

    const unseen = createRun({
      bus,
      reading: outer.reading,
      hosts,
      sums,
      clock,
      objects: () => objects,
      problems: () => problems,
      failovers: () => failovers.all(),
      delivery: () => delivery?.status() ?? null,
      busRestarts: () => outer.restarts,
      busTrouble: () => outer.trouble,
      record: () => dataDir.record,
      ready: () => awaited.ready,
      started: () => started,
      judgement: judge,
      stop: () => stop(),
    })
    const run = shownRun(unseen, redactor.redact)
    const token = dataDir.record.token
    redactor.hide(token)
    const { redact } = redactor
    const { host } = listen
    // who reads there never takes the place of who holds the data directory
    const readersOf = () => createReaders({ most: options.reading.most }, { clock, log })
    const api = createApi({ run, log, redact, trusted: false, token, readTokens, host, readers: readersOf() })
    begun.resolve(api)
    const control = createApi({ run, log, redact, trusted: true, token, readTokens: null, host, readers: readersOf() })
    await new Promise<void>((resolve, reject) => {
      control.once('error', reject)
      control.listen(dataDir.record.control, () => resolve())
    })
    undo.push(() => control.close())
    const { port } = server.address() as { port: number }
    const address = `${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${port}`
    await dataDir.update({ api: address })

    let applying: Promise<void> = hosts.apply(hostCount(objects.manifest), (index) =>
      assignmentOf(objects.manifest, index),
    )
    const reload = async (): Promise<void> => {
      let fresh: Objects
      try {
        fresh = await loadObjects(options.files, redactor)
      } catch (error) {
        problems = messageOf(error).split('\n')
        log.error('the changed files are not applied; the run goes on with what was valid before', {
          error: messageOf(error),
        })
        return
      }
      if (problems.length > 0) log.info('the files are valid again')
      problems = []
      if (JSON.stringify(fresh.manifest) === JSON.stringify(objects.manifest) || stopping) return
      if (JSON.stringify(fresh.bus?.spec) !== JSON.stringify(objects.bus?.spec)) {
        problems = [
          'the EventBus has changed: stop the run and start it again; until then nothing of the change is applied',
        ]
        log.error(problems.join())
        return
      }
      sayNotices(fresh, log)
      const before = objects
      objects = fresh
      secretStore.update(fresh.manifest)
      await hosts.apply(hostCount(fresh.manifest), (index) => assignmentOf(fresh.manifest, index))
      log.info('the changed files are applied')
      removals.begin(before.manifest, fresh.manifest)
    }
    const removals = createRemovals({ kv: bus.kv, secretsDir: options.secretsDir, redactor, clock, log })
    // standard input is read once
    const stopWatching = watchPaths(options.files.includes('-') ? [] : options.files, {
      clock,
      onChange() {
        applying = applying
          .then(reload)
          .catch((error: unknown) => log.error('the changed files could not be applied', { error }))
      },
    })
    undo.push(stopWatching)

    awaited.look()

    const stop = () => {
      if (stopping) {
        log.warn('ending at once')
        hosts.kill()
        outer.kill()
        void dataDir.release().finally(() => end.resolve())
        return
      }
      stopping = true
      drain().then(end.resolve, end.reject)
    }
    const drain = async () => {
      log.info('stopping: no new events are taken, what is in flight is finished')
      stopWatching()
      awaited.end()
      await hosts.stop(STOP_PATIENCE_MS)
      await removals.stop()
      await delivery?.stop()
      await failovers.settled()
      await outer.stop()
      await closeServers([server, control])
      await dataDir.release()
      log.info('stopped')
    }
    return { status: run.status, bus, api: address, ready: becomeReady.promise, ended: end.promise, stop }
  }
}

function sayNotices({ notices, warnings }: Objects, log: Logger): void {
  for (const notice of notices) log.info(notice)
  for (const warning of brief(warnings)) log.warn(warning)
}

/** Connections of the API: more than may read, so that who is over the limit is told. */
const MAX_CONNECTIONS = 1000

async function listenOn({ host, port }: { host: string; port: number }): Promise<Server> {
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 15_000 })
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${host}:${port}`
      if (error.code === 'EADDRINUSE') {
        reject(
          fail(
            'PORT_IN_USE',
            `the API cannot listen on ${where}, something else does: end that, or choose another with --listen 127.0.0.1:PORT (0: any free one)`,
          ),
        )
      } else {
        reject(
          fail(
            'PORT_IN_USE',
            `the API cannot listen on ${where} (${error.code ?? error.message}): choose another address with --listen`,
          ),
        )
      }
    })
    server.listen(port, host, () => resolve())
  })
  return server
}

async function closeServers(servers: Server[]): Promise<void> {
  await Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve())
          // streams never end by themselves; a short word (the answer to stop) may still be on its way
          server.closeIdleConnections()
          clock.after(50, () => server.closeAllConnections())
        }),
    ),
  )
}

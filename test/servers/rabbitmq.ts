/** RabbitMQ of Debian, one node on loopback. Its environment: https://www.rabbitmq.com/docs/configure#supported-environment-variables. */
import { execFile } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installed, serversDir } from './cache.ts'
import { debianLibraries, unpackDebian } from './debian.ts'
import { accepts, answers, directoryFor, freePorts, type LastingServer, startLasting, startProcess } from './process.ts'

const DIR = 'rabbitmq-debian'

export function rabbitmqBinary(): string | null {
  return installed(DIR, 'usr', 'lib', 'rabbitmq', 'bin', 'rabbitmq-server')
}

/** Unpacks RabbitMQ and the Erlang that it needs. */
export function installRabbitmq(): void {
  unpackDebian(DIR, 'rabbitmq-server')
  // Erlang's start scripts look where the package would have been installed.
  const erlang = erlangDir()
  for (const script of globSync(['bin/erl', 'bin/start', 'erts-*/bin/erl', 'erts-*/bin/start'], { cwd: erlang })) {
    const file = join(erlang, script)
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/=\/usr\/lib\/erlang$/gm, `=${erlang}`))
  }
}

const erlangDir = () => join(serversDir(), DIR, 'usr', 'lib', 'erlang')

export interface RabbitmqServer extends LastingServer {
  /** `amqp://guest:guest@127.0.0.1:<port>`, virtual host `/`. */
  readonly url: string
  readonly port: number
  /** How many queues are bound to an exchange. */
  bindings(exchange: string): Promise<number>
}

/**
 * @param config lines of `rabbitmq.conf`, where `$DIR` is the place of `files`
 * @param plugins of those that come with it
 */
export async function startRabbitmq({
  config = '',
  files = {},
  plugins = [],
}: {
  config?: string
  plugins?: string[]
  files?: Record<string, string>
} = {}): Promise<RabbitmqServer> {
  const binary = rabbitmqBinary()
  if (binary === null) throw new Error('rabbitmq-server is not installed: npm run servers')
  const dir = directoryFor('rabbitmq')
  const [port, distribution, epmd] = (await freePorts(3)) as [number, number, number]
  for (const empty of ['env.conf', 'enabled_plugins']) {
    writeFileSync(join(dir, empty), empty === 'enabled_plugins' ? `[${plugins.join()}].` : '')
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  writeFileSync(join(dir, 'r.conf'), config.replaceAll('$DIR', dir))
  const env = {
    ...debianLibraries(DIR),
    PATH: `${join(erlangDir(), 'bin')}:${process.env.PATH}`,
    HOME: dir,
    LANG: 'C.UTF-8',
    RABBITMQ_NODENAME: `vedette${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(dir, 'r.conf'),
    RABBITMQ_CONF_ENV_FILE: join(dir, 'env.conf'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'generated'),
    RABBITMQ_PID_FILE: join(dir, 'pid'),
    RABBITMQ_FEATURE_FLAGS_FILE: join(dir, 'feature_flags'),
    // Its schedulers sleep when there is nothing to do, instead of spinning for what may come.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none',
  }
  const start = () => startProcess(binary, [], { ready: () => speaksAmqp(port), env, group: true, timeoutMs: 180_000 })
  // The node would start the name server of Erlang itself, as a daemon that outlives it.
  const names = await startProcess(join(erlangDir(), 'bin', 'epmd'), ['-port', String(epmd)], {
    ready: () => accepts(epmd),
    env,
  })
  return Object.assign(await startLasting(dir, start, { patienceMs: 60_000, beside: () => names.kill() }), {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    async bindings(exchange: string) {
      const tool = rabbitmqBinary()!.replace(/rabbitmq-server$/, 'rabbitmqctl')
      const { stdout } = await promisify(execFile)(tool, ['-q', 'list_bindings', 'source_name'], {
        env: { ...process.env, ...env },
      })
      return stdout.split('\n').filter((line) => line === exchange).length
    },
  })
}

/** A node takes connections when it answers the protocol header with `connection.start` (AMQP 0-9-1, 4.2.2). */
const speaksAmqp = (port: number) => answers(port, 'AMQP\0\0\x09\x01', (answer) => answer[0] === 1)

import { isIPv6 } from 'node:net'
import { type Command, Option } from 'commander'
import { MAX_READERS } from '../api/readers.ts'
import { fail } from '../core/errors.ts'
import { createLogger, type LogLevel } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import { parseBind } from './bind.ts'
import { DEFAULT_DATA } from './client.ts'
import type { DeliverFlags } from './deliverTo.ts'

interface RunFlags extends DeliverFlags {
  data: string
  listen: { host: string; port: number }
  readTokenFile?: string
  openReading: boolean
  maxReaders: number
  bind?: string
  trustedProxies?: string
  forwardedHeader?: string
  listenerLimits?: string
  secrets?: string
  logLevel: LogLevel
}

export default function register(program: Command, redactor: Redactor): void {
  program
    .command('run')
    .description('run the EventSources in the files: every replica a process, every event durable')
    .argument('<file...>', 'YAML files or directories; - for stdin')
    .option('--data <dir>', 'where the store and the state of the run live', DEFAULT_DATA)
    .option(
      '--listen <host:port>',
      'address of the API (status, events, metrics); without a host: this machine only',
      parseListen,
      {
        host: LOOPBACK,
        port: 7780,
      },
    )
    .option(
      '--read-token-file <file>',
      'who reads over the API needs one of the tokens in it, one a line (default: off this machine the token in <data>/run.json)',
    )
    .addOption(
      new Option('--open-reading', 'also off this machine everybody who reaches the API may read all events')
        .default(false)
        .conflicts('readTokenFile'),
    )
    .option('--max-readers <count>', 'how many may read events over the API at a time', parseReaders, MAX_READERS)
    .option('--bind <address>', 'address that webhooks listen on (default: the host of --listen)', parseBind)
    .option('--trusted-proxies <networks>', 'proxies before the webhooks whose word on the sender counts: 10.0.0.0/8,…')
    .option('--forwarded-header <name>', 'where they say it: X-Forwarded-For (default) or Forwarded')
    .option('--listener-limits <list>', 'limits of the webhooks, see docs/operations.md: maxConnections=8192,…')
    .option('--secrets <dir>', 'values of Secrets that are not in the files: DIR/<name>/<key>')
    .option(
      '--deliver <url>',
      'send every event to this URL (CloudEvents over HTTP, at least once, in order; held until it is taken)',
    )
    .option(
      '--deliver-file <file>',
      'the same, to the URL in this file: for one that holds credentials, or is secret itself',
    )
    .option(
      '--deliver-header-file <file>',
      'sent along with every event: lines "Name: value", such as an Authorization; read anew for each request',
    )
    .addOption(
      new Option('--deliver-mode <mode>', 'form of delivered events')
        .choices(['structured', 'binary'])
        .default('structured'),
    )
    .addOption(
      new Option('--log-level <level>', 'how much is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .addHelpText(
      'after',
      `
Examples:
  vedette run examples/quickstart.yaml
  vedette run sources/ --data /var/lib/vedette --secrets /run/secrets
  vedette run sources.yaml --bind 0.0.0.0 --deliver https://example.com/events
  vedette run sources.yaml --listen 0.0.0.0:7780 --read-token-file /run/secrets/read-token

Prints "ready" on stdout once every listener accepts and every other entry serves or shows an error. Until then stderr says what is
waited for (a port that another program has, say), and so does GET /readyz. Logs to stderr. A changed file is applied without a
restart; a wrong one is refused and what runs goes on. What --deliver cannot deliver is held and tried for ever; vedette status says
why. Ctrl-C stops gracefully, a second one at once.`,
    )
    .action((files: string[], flags: RunFlags) => run(files, flags, redactor))
}

async function run(files: string[], flags: RunFlags, redactor: Redactor): Promise<void> {
  const [{ listenerSettings }, { startSupervisor }, { deliverTo }] = await Promise.all([
    import('../runtime/http/settings.ts'),
    import('../local/supervisor.ts'),
    import('./deliverTo.ts'),
  ])
  const { trustedProxies, forwardedHeader, listenerLimits: limits } = flags
  const listeners = listenerSettings({ trustedProxies, forwardedHeader, limits }, LISTENER_FLAGS)
  const deliver = await deliverTo(flags, redactor)
  const view = process.stderr.isTTY ? (await import('./liveView.ts')).createLiveView(process.stderr) : null
  const write = (text: string) => void (view === null ? process.stderr.write(text) : view.log(text))
  const log = createLogger({ format: 'text', level: flags.logLevel, redact: redactor.redact, write })
  let stopWanted = 0
  let stop = () => {}
  const onSignal = () => {
    stopWanted++
    stop()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  view?.say('starting')
  try {
    const supervisor = await startSupervisor({
      files,
      data: flags.data,
      listen: flags.listen,
      reading: { tokenFile: flags.readTokenFile, open: flags.openReading, most: flags.maxReaders },
      bind: flags.bind ?? flags.listen.host,
      listeners,
      secretsDir: flags.secrets,
      deliver,
      logLevel: flags.logLevel,
      log,
      redactor,
      onHostLog: view === null ? null : (text) => view.log(text),
    })
    stop = supervisor.stop
    for (; stopWanted > 0; stopWanted--) stop()
    view?.show(supervisor)
    void supervisor.ready.then(() => process.stdout.write('ready\n'))
    await supervisor.ended
  } finally {
    view?.close()
  }
  // a stream that somebody still holds open, or a timer, must not keep a run that has ended
  process.exit(0)
}

const LOOPBACK = '127.0.0.1'

const LISTENER_FLAGS = {
  trustedProxies: '--trusted-proxies',
  forwardedHeader: '--forwarded-header',
  limits: '--listener-limits',
}

/** `host:port`, `[v6]:port`, `:port` or `port`; without a host it is this machine's own. @throws USAGE */
export function parseListen(text: string): { host: string; port: number } {
  const [, v6, name, digits] = /^(?:(?:\[([^\]]+)\]|([^:\s[\]]*)):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535 || (v6 !== undefined && !isIPv6(v6))) {
    throw fail(
      'USAGE',
      `--listen ${JSON.stringify(text)} is no address: write HOST:PORT, for example 127.0.0.1:7780, or 0.0.0.0:7780 for every address`,
    )
  }
  return { host: v6 ?? (name || LOOPBACK), port }
}

/** @throws USAGE */
export function parseReaders(text: string): number {
  const count = Number(text)
  if (/^\d{1,6}$/.test(text) && count > 0) return count
  throw fail('USAGE', `--max-readers ${JSON.stringify(text)} is no number of readers: write a whole one, 1 or more`)
}

/** The command line: finds the command, loads only that one, and turns what it throws into a message and an exit code. */
import { Command, CommanderError } from 'commander'
import { exitCodeOf, isVedetteError, messageOf } from '../core/errors.ts'
import { printablePage } from '../core/printable.ts'
import { createRedactor, type Redactor } from '../core/redact.ts'

/** In the order of `vedette --help`. */
const commands: Record<string, () => Promise<{ default: (program: Command, redactor: Redactor) => void }>> = {
  run: () => import('./run.ts'),
  validate: () => import('./validate.ts'),
  explain: () => import('./explain.ts'),
  types: () => import('./types.ts'),
  filter: () => import('./filter.ts'),
  render: () => import('./render.ts'),
  manifests: () => import('./manifests.ts'),
  migrate: () => import('./migrate.ts'),
  uninstall: () => import('./uninstall.ts'),
  controller: () => import('./controller.ts'),
  status: () => import('./status.ts'),
  tail: () => import('./tail.ts'),
  send: () => import('./send.ts'),
  replay: () => import('./replay.ts'),
  failover: () => import('./failover.ts'),
  stop: () => import('./stop.ts'),
  doctor: () => import('./doctor.ts'),
  'eventsource-service': () => import('./eventsource-service.ts'),
  'eventsource-removal': () => import('./eventsource-removal.ts'),
}

async function main(argv: string[], redactor: Redactor): Promise<void> {
  const program = new Command('vedette')
    .description('Highly available event sources: EventSource YAML in, every event once on the bus, whatever dies.')
    .helpCommand('help [command]', 'the help of a command')
    .option('-V, --version', 'print the version')
    .showHelpAfterError('(add --help for what there is)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'vedette: ')) })
    .exitOverride()
  const wanted = argv.find((word) => !word.startsWith('-'))
  if (wanted === undefined && (argv[0] === '-V' || argv[0] === '--version')) {
    const { version } = await import('../local/version.ts')
    process.stdout.write(`${version()}\n`)
    return
  }
  const load = wanted !== undefined && Object.hasOwn(commands, wanted) ? commands[wanted] : undefined
  const modules = await Promise.all((load === undefined ? Object.values(commands) : [load]).map((one) => one()))
  for (const { default: register } of modules) register(program, redactor)
  for (const command of program.commands) command.copyInheritedSettings(program).exitOverride()
  await program.parseAsync(argv, { from: 'user' })
}

// a reader that has seen enough (`vedette tail | head`) is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const redactor = createRedactor()
try {
  await main(process.argv.slice(2), redactor)
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    const text = isVedetteError(error)
      ? error.message
      : error instanceof Error
        ? (error.stack ?? error.message)
        : messageOf(error)
    process.stderr.write(`vedette: ${printablePage(redactor.redact(text))}\n`)
    process.exitCode = exitCodeOf(error)
  }
}

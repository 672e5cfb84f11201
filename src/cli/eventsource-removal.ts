import type { Command } from 'commander'
import { systemClock } from '../core/clock.ts'
import { exitCodeOf, isVedetteError } from '../core/errors.ts'
import { createLogger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import { beginPod } from './podProcess.ts'

export default function register(program: Command, redactor: Redactor): void {
  program
    .command('eventsource-removal')
    .description('what the controller runs once when an EventSource is deleted: undoes what it has at providers')
    .option('--root <dir>', 'where the mounted paths begin', '/')
    .option('--seconds <n>', 'how long it may try', '240')
    .addHelpText(
      'after',
      '\nTold by the same environment and mounts as eventsource-service; its replicas must have stopped.\n' +
        'Exit codes: 0 nothing is left, 1 the environment is wrong, 3 something is left (the log says what).\n\n' +
        'Example:\n  vedette eventsource-removal --seconds 60',
    )
    .action((flags: RemovalFlags) => remove(flags, redactor))
}

interface RemovalFlags {
  root: string
  seconds: string
}

async function remove({ root, seconds }: RemovalFlags, redactor: Redactor): Promise<void> {
  const { redact } = redactor
  const said = await beginPod()
  const [{ logLevelOf, readEnvironment }, { removeFromProviders }] = await Promise.all([
    import('../pod/environment.ts'),
    import('../pod/removal.ts'),
  ])
  const level = logLevelOf(process.env)
  const write = (line: string) => void process.stdout.write(line)
  const log = createLogger({ format: 'json', level, name: 'argo-events.eventsource', redact, write })
  await said(log)
  try {
    const environment = await readEnvironment(process.env)
    const signal = AbortSignal.timeout(Math.max(1, Number(seconds) || 240) * 1000)
    const left = await removeFromProviders({ environment, root, clock: systemClock, log, redactor }, signal)
    process.exitCode = left.length > 0 ? 3 : 0
  } catch (error) {
    if (!isVedetteError(error)) throw error
    log.error(error.message)
    process.exitCode = exitCodeOf(error)
  }
}

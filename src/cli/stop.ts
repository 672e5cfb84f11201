import type { Command } from 'commander'
import { call, findRun, withData } from './client.ts'

export default function register(program: Command): void {
  withData(
    program
      .command('stop')
      .description(
        'stop the run gracefully and wait for it: no event is taken any more, what is in flight is finished',
      ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  vedette stop\n  vedette stop --data /var/lib/vedette\n\nExits 0 also when nothing runs.',
    )
    .action(async ({ data }: { data: string }) => {
      const record = await findRun(data)
      if (record === null) {
        process.stderr.write('nothing runs here\n')
        return
      }
      await call(record, '/v1/stop', {})
      const { isAlive } = await import('../core/processes.ts')
      const { systemClock } = await import('../core/clock.ts')
      while (isAlive(record.supervisor)) await systemClock.sleep(25)
    })
}

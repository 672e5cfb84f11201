import type { Command } from 'commander'
import type { Replayed } from '../api/publish.ts'
import { parseFrom } from '../api/scan.ts'
import { call, needRun, withData } from './client.ts'

export default function register(program: Command): void {
  withData(
    program
      .command('replay')
      .description('store events of the log once more, each under a new id: says what it would do; --yes does it')
      .requiredOption('--from <seq>', 'first sequence number, or start')
      .option('--to <seq>', 'last sequence number (included), or now', 'now')
      .option('--source <source>', 'only events of this EventSource')
      .option('--entry <entry>', 'only events of this entry')
      .option('--namespace <namespace>', 'only events of this namespace')
      .option('--yes', 'do it', false),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  vedette replay --from 100 --to 120\n  vedette replay --from start --source orders --yes',
    )
    .action(
      async ({
        data,
        yes,
        ...range
      }: { data: string; yes: boolean; from: string; to: string } & Record<string, unknown>) => {
        parseFrom(range.from)
        parseFrom(range.to)
        const run = await needRun(data)
        const plan = await call<Replayed>(run, '/v1/replay', { ...range, execute: false })
        if (plan.count === 0) {
          process.stdout.write('there are no such events\n')
          return
        }
        process.stdout.write(
          `${plan.count} ${plan.count === 1 ? 'event' : 'events'}, ${plan.firstSeq} to ${plan.lastSeq}:\n`,
        )
        for (const [entry, count] of Object.entries(plan.entries)) process.stdout.write(`  ${entry}  ${count}\n`)
        if (!yes) {
          process.stdout.write('nothing is stored yet: add --yes to store them again\n')
          return
        }
        // exactly what was shown, also when more has been stored meanwhile
        const done = await call<Replayed>(run, '/v1/replay', {
          ...range,
          from: plan.firstSeq,
          to: plan.lastSeq,
          execute: true,
        })
        process.stdout.write(`stored ${done.published} again\n`)
      },
    )
}

import type { Command } from 'commander'
import { call, needRun, withData } from './client.ts'

export default function register(program: Command): void {
  withData(
    program
      .command('failover')
      .description('hand the lead of an EventSource over to another replica, now; nothing is lost or doubled')
      .argument('<source>', 'name of the EventSource')
      .option('--namespace <namespace>', 'needed when the name is in several'),
  )
    .addHelpText('after', '\nExample:\n  vedette failover heartbeat')
    .action(async (source: string, { data, namespace }: { data: string; namespace?: string }) => {
      const run = await needRun(data)
      const { from, to, term } = await call<{ from: string | null; to: string; term: number }>(run, '/v1/failover', {
        source,
        namespace,
      })
      process.stdout.write(`${to} leads ${source} now (term ${term}, before: ${from ?? 'nobody'})\n`)
    })
}

import type { Command } from 'commander'
import { type ClusterOptions, openExchange, showPlan, withCluster } from './exchange.ts'

interface Options extends ClusterOptions {
  plan?: boolean
  crds?: boolean
}

export default function register(program: Command): void {
  withCluster(
    program
      .command('uninstall')
      .description('take Vedette out of a cluster, in the order in which nothing hangs')
      .option('--plan', 'only say what would go and what would stay')
      .option('--crds', 'EventSources, Sensors, buses and the CRDs too, with what they have at providers and on disks'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  vedette uninstall --plan\n  vedette uninstall\n  vedette uninstall --crds --plan',
    )
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { planUninstall, uninstall } = await import('../controller/migrate/uninstall.ts')
  const { client, snapshot, target, work } = await openExchange(options)
  try {
    const what = { objects: target.objects, crds: options.crds === true }
    const refused = await showPlan(planUninstall(snapshot, what), options)
    if (refused.length > 0) process.exitCode = 1
    else if (options.plan !== true) await uninstall(work, snapshot, what)
  } finally {
    await client.close()
  }
}

import { styleText } from 'node:util'
import type { Command } from 'commander'
import type { Status } from '../api/status.ts'
import { systemClock } from '../core/clock.ts'
import { call, needRun, withData } from './client.ts'
import { statusText } from './statusText.ts'

export default function register(program: Command): void {
  withData(
    program
      .command('status')
      .description('sources, who serves, what was published, what is wrong')
      .option('--json', 'as JSON, for programs', false),
  )
    .addHelpText('after', '\nExamples:\n  vedette status\n  vedette status --json | jq .failovers')
    .action(async ({ data, json }: { data: string; json: boolean }) => {
      const status = await call<Status>(await needRun(data), '/v1/status')
      if (json) process.stdout.write(`${JSON.stringify(status)}\n`)
      else {
        const paint = (style: Parameters<typeof styleText>[0], text: string) =>
          styleText(style, text, { stream: process.stdout })
        process.stdout.write(statusText(status, { nowMs: systemClock.now(), paint }))
      }
    })
}

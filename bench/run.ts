/**
 * Measures and writes docs/performance.md.
 *
 *   npm run bench            all of it, about four minutes
 *   npm run bench -- --quick a first look; writes nothing
 *
 * Machines are noisy: what counts are ratios within one run, and the scheduler delay measured beside each figure.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { appendRates } from './append.ts'
import { failoverGaps } from './failover.ts'
import { sqsRates } from './sqs.ts'
import { hostMemory, webhookRates } from './webhook.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean' } } })
const quick = values.quick === true

const append = await appendRates({ seconds: quick ? 1 : 5, say })
const webhook = await webhookRates({ seconds: quick ? 2 : 10, say })
const sqs = await sqsRates({ messages: quick ? 3_000 : 10_000, say })
const memory = await hostMemory({ say })
const failover = await failoverGaps({ kills: quick ? 5 : 50, say })

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const text = `# Performance

Measured ${new Date().toISOString().slice(0, 10)} at commit ${commit} on ${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.version},
by \`npm run bench\`. Sender, supervisor, bus and hosts share these cores, and the machine is not quiet: compare figures within this
page, not with other machines.

## Appends against the disk

An append is acknowledged once it is synced. \`disk\` is the same number of bytes written and synced alone, one after the other, in the same run.

${append}

## Webhooks: acknowledged events per second

\`POST\` of a 213-byte JSON body, keep-alive, answered 200 after the event is synced to disk. One embedded bus, all on this machine.

${webhook}

## Messages of an SQS queue

10,000 messages on ElasticMQ, a queue server in memory on the same cores; each is published, synced to disk, and deleted. *One at a time* receives one, publishes it,
deletes it, and takes the next.

${sqs.text}

## Memory

${memory}

## Failover

A calendar entry, three replicas, the serving process killed with kill -9, again and again. *Gap*: from the loss seen to the next leader
serving, as in \`vedette status\`. *From outside*: from the kill to \`status\` naming the next leader (polled every 5 ms). *Scheduler delay*: how late timers fired in the measuring process meanwhile.

${failover}
`
if (quick) console.log(text)
else {
  writeFileSync(new URL('../docs/performance.md', import.meta.url), text)
  say('written: docs/performance.md')
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/**
 * Measures and writes docs/performance.md.
 *
 *   npm run bench                      all of it, about half an hour
 *   npm run bench -- jetstream append  these parts; the others stay on the page as they are
 *   npm run bench -- --quick [PART…]   a first look; writes nothing
 *
 * Machines are noisy: what counts are ratios within one run, and their spread.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { appendRates } from './append.ts'
import { manyEventSources } from './controller.ts'
import { failoverGaps, jetstreamFailoverGaps, kafkaFailoverGaps } from './failover.ts'
import { steadyMemory } from './jetstream/memory.ts'
import { jetstreamRates } from './jetstream.ts'
import { kafkaRates } from './kafka.ts'
import { pageWith, type Section, sections, sectionText } from './page.ts'
import { podsFailoverGaps } from './pods.ts'
import { queueFailoverGaps } from './queue-failover.ts'
import { queueRates } from './queues.ts'
import { sqsRates } from './sqs.ts'
import { hostMemory, webhookRates } from './webhook.ts'

const { values, positionals } = parseArgs({ options: { quick: { type: 'boolean' } }, allowPositionals: true })
const quick = values.quick === true

const measure: Record<Section, () => Promise<string>> = {
  append: () => appendRates({ seconds: quick ? 1 : 5, say }),
  webhook: () => webhookRates({ seconds: quick ? 2 : 10, say }),
  sqs: async () => (await sqsRates({ messages: quick ? 3_000 : 10_000, say })).text,
  queues: () => queueRates({ messages: quick ? 5_000 : 50_000, say }),
  'queue-failover': () => queueFailoverGaps({ kills: quick ? 2 : 15, say }),
  memory: () => hostMemory({ say }),
  failover: () => failoverGaps({ kills: quick ? 5 : 50, say }),
  jetstream: () => jetstreamRates({ seconds: 0.6, rounds: quick ? 2 : 15, say }),
  'jetstream-memory': () => steadyMemory({ minutes: quick ? 0.5 : 10, say }),
  'pods-failover': () => podsFailoverGaps({ kills: quick ? 2 : 20, say }),
  controller: () => manyEventSources({ count: quick ? 200 : 5_000, minutes: quick ? 0 : 5, say }),
  'jetstream-failover': () => jetstreamFailoverGaps({ kills: quick ? 3 : 30, say }),
  kafka: () => kafkaRates({ seconds: quick ? 1 : 2, rounds: quick ? 2 : 7, messages: quick ? 5_000 : 50_000, say }),
  'kafka-failover': () => kafkaFailoverGaps({ kills: quick ? 3 : 15, say }),
}

const wanted = positionals.length === 0 ? Object.keys(sections) : positionals
const unknown = wanted.filter((name) => !(name in measure))
if (unknown.length > 0) {
  say(`no such part: ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}`)
  process.exit(2)
}

const measured = `Measured ${new Date().toISOString().slice(0, 10)}, Node ${process.version}.`
const page = new URL('../docs/performance.md', import.meta.url)

for (const name of wanted as Section[]) {
  const text = sectionText(name, measured, await measure[name]())
  if (quick) console.log(`${text}\n`)
  else {
    writeFileSync(page, pageWith(readFileSync(page, 'utf8'), new Map([[name, text]])))
    say(`written: ${sections[name].title} in docs/performance.md`)
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

import assert from 'node:assert/strict'
import test from 'node:test'
import { createMetrics } from '../runtime/metrics.ts'
import { createMetricSums, runMetrics, type Snapshot } from './metrics.ts'

const facts = {
  version: '1',
  hosts: [{ index: 0, up: true, restarts: 2 }],
  busRestarts: 0,
  bytes: 5,
  messages: 6,
  delivery: null,
}

async function host(sent: number): Promise<Snapshot> {
  const metrics = createMetrics()
  const entry = metrics.entry('default', 's', 'e')
  entry.sent(sent)
  entry.running(true)
  return (await metrics.registry.getMetricsAsJSON()) as Snapshot
}

test('hosts add up; what a dead one counted stays, what it ran does not', async () => {
  const sums = createMetricSums()
  const sent = async () => {
    const text = await sums.render(await runMetrics(facts))
    const value = (name: string) => Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(text)?.[1])
    return [value('argo_events_events_sent_total'), value('argo_events_event_service_running_total')]
  }
  sums.seen('0/1', await host(5))
  sums.seen('1/2', await host(7))
  assert.deepEqual(await sent(), [12, 2])
  sums.gone('1/2')
  assert.deepEqual(await sent(), [12, 1])
  sums.seen('1/3', await host(1))
  sums.gone('0/1')
  assert.deepEqual(await sent(), [13, 1])
  sums.gone('1/3')
  assert.deepEqual(await sent(), [13, Number.NaN])
})

test("a scrape has upstream's names and ours", async () => {
  const sums = createMetricSums()
  sums.seen('0/1', await host(1))
  const text = await sums.render(await runMetrics(facts))
  assert.match(text, /^build_info\{version="1",.*\} 1$/m)
  assert.match(text, /^argo_events_events_sent_total\{namespace="default",eventsource_name="s",event_name="e"\} 1$/m)
  assert.match(text, /^vedette_host_restarts\{host="0"\} 2$/m)
})

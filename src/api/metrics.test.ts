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
  nowMs: Date.parse('2026-01-02T03:04:10Z'),
}

async function host(sent: number): Promise<Snapshot> {
  const metrics = createMetrics()
  const entry = metrics.entry('default', 's', 'e')
  entry.sent(sent)
  entry.serving(true)
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

test('deliveries: what is counted is a counter, what is now is a gauge', async () => {
  const delivery = {
    url: 'http://receiver/in',
    delivered: 5,
    attempts: 9,
    refused: { 401: 3, timeout: 1 },
    lost: 2,
    cursor: 7,
    head: 10,
    error: 'the receiver answered 401 Unauthorized',
    errorSince: '2026-01-02T03:04:05Z',
    oldestAt: '2026-01-02T03:04:00Z',
  }
  const text = await createMetricSums().render(await runMetrics({ ...facts, delivery }))
  for (const [name, type, value] of [
    ['vedette_deliver_delivered_total', 'counter', 5],
    ['vedette_deliver_attempts_total', 'counter', 9],
    ['vedette_deliver_lost_total', 'counter', 2],
    ['vedette_deliver_lag', 'gauge', 3],
    ['vedette_deliver_failing', 'gauge', 1],
    ['vedette_deliver_failing_seconds', 'gauge', 5],
    ['vedette_deliver_oldest_undelivered_seconds', 'gauge', 10],
  ] as const) {
    assert.match(text, new RegExp(`^# TYPE ${name} ${type}$`, 'm'))
    assert.match(text, new RegExp(`^${name} ${value}$`, 'm'))
  }
  assert.match(text, /^# TYPE vedette_deliver_refused_total counter$/m)
  assert.match(text, /^vedette_deliver_refused_total\{reason="401"\} 3$/m)
  assert.match(text, /^vedette_deliver_refused_total\{reason="timeout"\} 1$/m)
  assert.doesNotMatch(text, /skipped/)
})

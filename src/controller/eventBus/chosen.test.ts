import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { KubeObject } from '../../kube/resources.ts'
import { type ReviewRequest, review } from '../admission.ts'
import { planBus } from '../eventBus.ts'
import { settingsFrom } from '../settings.ts'
import { choose, DOWNGRADE_ANNOTATION, isOlderLine, runningIn } from './chosen.ts'
import { fencingVersion, shippedVersions } from './versions.ts'

const theirs = {
  natsImage: 'nats:2.10.29',
  configReloaderImage: 'natsio/nats-server-config-reloader:0.14.0',
  metricsExporterImage: 'natsio/prometheus-nats-exporter:0.14.0',
  startCommand: '/nats-server',
}
const pick = (wanted: string, running?: Parameters<typeof choose>[2], allowed?: string, versions = shippedVersions) => {
  const { images, conditions } = choose(wanted, versions, running, allowed)
  return [images.natsImage, ...conditions.map(({ type }) => type)]
}

suite('the version of a bus', () => {
  test('latest is what was newest when the bus was made: what runs stays, and the newer one is told of', () => {
    assert.deepEqual(pick('latest'), ['nats:2.15.2'])
    assert.deepEqual(pick('latest', theirs), ['nats:2.10.29', 'UpgradeAvailable'])
    assert.deepEqual(pick('latest', { natsImage: 'nats:2.15.2' }), ['nats:2.15.2'])
    // A later release of ours, with another latest.
    const later = shippedVersions.map((one) => (one.version === 'latest' ? { ...one, natsImage: 'nats:2.16.0' } : one))
    assert.deepEqual(pick('latest', { natsImage: 'nats:2.15.2' }, undefined, later), [
      'nats:2.15.2',
      'UpgradeAvailable',
    ])
    // Back, or an older release of ours: nothing to tell.
    assert.deepEqual(pick('latest', { natsImage: 'nats:2.16.0' }), ['nats:2.16.0'])
  })

  test('all that belongs to it stays: exporter, reloader, and where the server lies in its image', () => {
    const own = { ...theirs, natsImage: 'mirror.example/nats:2.9.16-alpine', startCommand: 'nats-server' }
    const { images } = choose('latest', shippedVersions, own, undefined)
    assert.deepEqual({ ...images, version: '' }, { ...own, version: '' })
    const alpine = choose('latest', shippedVersions, { natsImage: 'mirror.example/nats:2.9.16-alpine' }, undefined)
    assert.equal(alpine.images.startCommand, 'nats-server')
  })

  test('the same version from another registry is followed', () => {
    const mirrored = shippedVersions.map((one) => ({ ...one, natsImage: `mirror.example:5000/${one.natsImage}` }))
    assert.deepEqual(pick('latest', { natsImage: 'nats:2.15.2' }, undefined, mirrored), [
      'mirror.example:5000/nats:2.15.2',
    ])
  })

  test('an image that does not say its version stays, too', () => {
    assert.deepEqual(pick('latest', { natsImage: 'mirror.example/nats@sha256:1' }), [
      'mirror.example/nats@sha256:1',
      'UpgradeAvailable',
    ])
  })

  test('a number raises it; a lower one is refused, but within its line or with the annotation', () => {
    assert.deepEqual(pick('2.15.2', theirs), ['nats:2.15.2'])
    const { images, conditions } = choose('2.10.29', shippedVersions, { natsImage: 'nats:2.15.2' }, undefined)
    assert.equal(images.natsImage, 'nats:2.15.2')
    assert.match(conditions[0]!.message!, /nats:2\.15\.2 runs and stays: 2\.10\.29 cannot read what it has written/)
    assert.deepEqual(pick('2.10.29', { natsImage: 'nats:2.15.2' }, '2.10.29'), ['nats:2.10.29'])
    assert.deepEqual(pick('2.10.29', { natsImage: 'nats:2.15.2' }, '2.9.16'), ['nats:2.15.2', 'DowngradeRefused'])
    assert.deepEqual(pick('2.9.1', { natsImage: 'nats:2.9.16' }), ['nats:2.9.1'])
    assert.ok(isOlderLine('nats:2.9.16', 'nats:2.10.29') && !isOlderLine('nats:custom', 'nats:2.10.29'))
  })

  test('what runs is seen from the StatefulSet; without one, from what the status remembers', () => {
    const containers = [
      { name: 'main', image: theirs.natsImage, command: [theirs.startCommand, '--config', 'x'] },
      { name: 'reloader', image: theirs.configReloaderImage },
      { name: 'metrics', image: theirs.metricsExporterImage },
    ]
    const live = { metadata: {}, spec: { template: { spec: { containers } } } } as unknown as KubeObject
    assert.deepEqual(runningIn(live, { natsImage: 'nats:1.0.0', encryption: 'key' }), theirs)
    assert.deepEqual(runningIn(undefined, { natsImage: 'nats:2.10.29', encryption: 'key' }), {
      natsImage: 'nats:2.10.29',
      encryption: 'key',
    })
    assert.equal(runningIn(undefined, {}), undefined)
  })

  test("Argo Events' servers stay in the plan, and the status says why there is no fence and how to have one", () => {
    const place = { file: '', line: 1, column: 1 }
    const spec = { jetstream: { version: 'latest' } }
    const bus = { namespace: 'ns', name: 'default', labels: {}, kind: 'jetstream', spec, place } as const
    const planned = planBus({ bus, settings: settingsFrom({}), running: theirs })
    const set = planned.objects.find(({ kind }) => kind === 'StatefulSet') as Record<string, any>
    const images = set.spec.template.spec.containers.map(({ image }: { image: string }) => image)
    assert.deepEqual(images, [theirs.natsImage, theirs.configReloaderImage, theirs.metricsExporterImage])
    const said = (type: string) => planned.conditions.find((one) => one.type === type)?.message ?? ''
    assert.match(said('FencingLeaseOnly'), /lease-only.*nats:2\.10\.29 has no atomic batches.*"2\.15\.2"/)
    assert.match(said('UpgradeAvailable'), /spec\.jetstream\.version: "2\.15\.2".*no way back/)
    assert.equal(fencingVersion(shippedVersions), '2.15.2')
  })
})

test('admission refuses to go back to what cannot read the data', async () => {
  const object = (version: string, natsImage?: string, allowed?: string) =>
    ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'EventBus',
      metadata: {
        name: 'default',
        namespace: 'ns',
        ...(allowed === undefined ? {} : { annotations: { [DOWNGRADE_ANNOTATION]: allowed } }),
      },
      spec: { jetstream: { version } },
      ...(natsImage === undefined ? {} : { status: { natsImage } }),
    }) as unknown as KubeObject
  const judge = async (oldObject: KubeObject, changed: KubeObject) => {
    const request: ReviewRequest = { uid: 'u', operation: 'UPDATE', object: changed, oldObject }
    return (await review(request)).status?.message ?? 'allowed'
  }
  assert.match(await judge(object('2.15.2'), object('2.10.29')), /nats:2\.15\.2 runs and stays: 2\.10\.29 cannot read/)
  assert.match(await judge(object('latest', 'nats:2.15.2'), object('2.10.29')), /nats:2\.15\.2 runs and stays/)
  assert.equal(await judge(object('latest', 'nats:2.10.29'), object('2.10.29')), 'allowed')
  assert.equal(await judge(object('latest'), object('2.10.29')), 'allowed')
  assert.equal(await judge(object('2.10.29'), object('2.15.2')), 'allowed')
  assert.equal(await judge(object('2.15.2'), object('2.10.29', undefined, '2.10.29')), 'allowed')
})

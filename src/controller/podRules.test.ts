import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { loadManifest } from '../manifest/load.ts'
import type { EventBus, EventSource } from '../manifest/manifest.ts'
import { podBreaches } from '../manifest/templateStandards.ts'
import { pathText } from '../manifest/tree.ts'
import { review } from './admission.ts'
import { planBus } from './eventBus.ts'
import { eventSourceObjects } from './eventSource.ts'
import { type PodRules, refusedPods } from './podRules.ts'
import { render } from './render.ts'
import { sensorObjects } from './sensor.ts'
import { settingsFrom } from './settings.ts'

type Plain = Record<string, any>

const place = { file: '', line: 1, column: 1 }
const bus = { jetstream: { url: 'nats://x:4222' } }
const rules = (level: PodRules['level'], serviceAccounts: string[] | null = null): PodRules => ({
  level,
  serviceAccounts,
})
const settings = settingsFrom({ VEDETTE_IMAGE: 'img:1' })

function objectsOf(template: Plain) {
  const head = { namespace: 'ns', name: 'es', labels: {}, annotations: {}, replicas: 1, eventBusName: 'default' }
  const source: EventSource = { ...head, entries: [], spec: { template, webhook: { e: { port: '80' } } }, place }
  return eventSourceObjects({ source, bus, settings })
}
const refused = (template: Plain, level: PodRules['level'], accounts?: string[]) =>
  refusedPods(objectsOf(template), rules(level, accounts ?? null), 'argo-events')
const container = (securityContext: Plain) => ({ container: { securityContext } })

/** By control of the standards: what is refused, by the field's path in the EventSource. */
const atBaseline: [control: string, template: Plain, field: string][] = [
  [
    'HostProcess',
    { securityContext: { windowsOptions: { hostProcess: true } } },
    'spec.template.securityContext.windowsOptions.hostProcess',
  ],
  ['Privileged Containers', container({ privileged: true }), 'spec.template.container.securityContext.privileged'],
  [
    'Capabilities',
    container({ capabilities: { add: ['SYS_ADMIN'] } }),
    'spec.template.container.securityContext.capabilities.add',
  ],
  [
    'HostPath Volumes',
    {
      volumes: [
        { name: 'a', emptyDir: {} },
        { name: 'b', hostPath: { path: '/' } },
      ],
    },
    'spec.template.volumes[1].hostPath',
  ],
  [
    'AppArmor',
    container({ appArmorProfile: { type: 'Unconfined' } }),
    'spec.template.container.securityContext.appArmorProfile.type',
  ],
  [
    'AppArmor',
    { metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/main': 'unconfined' } } },
    'spec.template.metadata.annotations["container.apparmor.security.beta.kubernetes.io/main"]',
  ],
  [
    'SELinux',
    { securityContext: { seLinuxOptions: { type: 'spc_t' } } },
    'spec.template.securityContext.seLinuxOptions.type',
  ],
  [
    'SELinux',
    container({ seLinuxOptions: { user: 'system_u' } }),
    'spec.template.container.securityContext.seLinuxOptions.user',
  ],
  ['/proc Mount Type', container({ procMount: 'Unmasked' }), 'spec.template.container.securityContext.procMount'],
  [
    'Seccomp',
    container({ seccompProfile: { type: 'Unconfined' } }),
    'spec.template.container.securityContext.seccompProfile.type',
  ],
  [
    'Sysctls',
    { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } },
    'spec.template.securityContext.sysctls[0].name',
  ],
]
const atRestricted: [control: string, template: Plain, field: string][] = [
  ['Volume Types', { volumes: [{ name: 'a', nfs: { server: 'x', path: '/' } }] }, 'spec.template.volumes[0].nfs'],
  [
    'Privilege Escalation',
    container({ allowPrivilegeEscalation: true }),
    'spec.template.container.securityContext.allowPrivilegeEscalation',
  ],
  ['Running as Non-root', container({ runAsNonRoot: false }), 'spec.template.container.securityContext.runAsNonRoot'],
  ['Running as Non-root user', { securityContext: { runAsUser: 0 } }, 'spec.template.securityContext.runAsUser'],
  ['Running as Non-root user', container({ runAsUser: 0 }), 'spec.template.container.securityContext.runAsUser'],
  [
    'Capabilities',
    container({ capabilities: { drop: ['NET_RAW'] } }),
    'spec.template.container.securityContext.capabilities.drop',
  ],
  [
    'Capabilities',
    container({ capabilities: { add: ['CHOWN'] } }),
    'spec.template.container.securityContext.capabilities.add',
  ],
]

suite('--pod-security', () => {
  for (const [level, cases] of [
    ['baseline', atBaseline],
    ['restricted', atRestricted],
  ] as const)
    for (const [control, template, field] of cases as typeof atBaseline)
      test(`${level}: ${control}: ${field}`, () => {
        const found = refused(template, level)
        assert.equal(found.length, 1, found.join('\n'))
        assert.ok(found[0]!.startsWith(`${field}: `), found[0]!)
        assert.ok(found[0]!.includes(`(${control}, ${level} level of the Pod Security Standards): `), found[0]!)
        assert.equal(refused(template, 'restricted').filter((one) => one.startsWith(field)).length, 1)
        assert.deepEqual(refused(template, 'as-written'), [])
        // `vedette validate` says the same, of the same field.
        const advised = podBreaches('EventSource', { template }, level).map(
          ({ path, message, remedy }) => `${pathText(path)}: ${message.split(': a controller')[0]}: ${remedy}`,
        )
        assert.deepEqual(advised, found)
        if (level === 'restricted') assert.deepEqual(refused(template, 'baseline'), [])
      })

  test('what most objects have is let in at every level', () => {
    const template = {
      metadata: {
        labels: { a: 'b' },
        annotations: { 'container.apparmor.security.beta.kubernetes.io/main': 'runtime/default' },
      },
      volumes: [
        'configMap',
        'csi',
        'downwardAPI',
        'emptyDir',
        'ephemeral',
        'persistentVolumeClaim',
        'projected',
        'secret',
      ].map((kind) => ({ name: kind.toLowerCase(), [kind]: {} })),
      securityContext: { fsGroup: 5, runAsUser: 9731, sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] },
      container: {
        securityContext: { capabilities: { add: ['NET_BIND_SERVICE'] }, seLinuxOptions: { type: 'container_t' } },
      },
      serviceAccountName: 'default',
    }
    for (const level of ['baseline', 'restricted'] as const) {
      assert.deepEqual(refused(template, level), [])
      assert.deepEqual(refused({}, level), [])
    }
    assert.deepEqual(refused({ serviceAccountName: 'mine', securityContext: { runAsUser: 0 } }, 'baseline'), [])
  })

  test('accounts: those that are allowed, by name or with their namespace; never the one of the controller', () => {
    const own = { serviceAccountName: 'mine' }
    assert.match(
      refused(own, 'restricted')[0]!,
      /^spec\.template\.serviceAccountName: "mine" is not among --service-accounts/,
    )
    assert.deepEqual(refused(own, 'restricted', ['other', 'mine']), [])
    assert.deepEqual(refused(own, 'restricted', ['ns/mine']), [])
    assert.equal(refused(own, 'restricted', ['elsewhere/mine']).length, 1)
    assert.equal(refused(own, 'baseline', ['other']).length, 1)
    const ours = objectsOf({ serviceAccountName: 'vedette-controller' })
    assert.match(refusedPods(ours, rules('baseline'), 'ns')[0]!, /is the account of the controller/)
    assert.deepEqual(refusedPods(ours, rules('baseline'), 'argo-events'), [])
  })

  test('Sensors: the same, and at the restricted level its defaults', () => {
    const sensor = (template: Plain) => ({
      ...{ apiVersion: 'argoproj.io/v1alpha1', kind: 'Sensor', metadata: { name: 'sn', namespace: 'ns' } },
      spec: { template },
    })
    const made = (template: Plain, level: PodRules['level']) =>
      sensorObjects({ sensor: sensor(template), bus, image: 'up:1', imagePullPolicy: 'Always', level })
    assert.deepEqual(refusedPods(made({}, 'restricted'), rules('restricted')), [])
    for (const level of ['baseline', 'restricted'] as const)
      assert.match(
        refusedPods(made(container({ privileged: true }), level), rules(level))[0]!,
        /^spec\.template\.container\.securityContext\.privileged/,
      )
  })

  test('native buses: each of its containers, by its own field', () => {
    const planned = (spec: Plain) => {
      const object: EventBus = {
        namespace: 'ns',
        name: 'b',
        labels: {},
        kind: 'jetstream',
        spec: { jetstream: { version: 'latest', ...spec } },
        place,
      }
      return planBus({ bus: object, settings }).objects
    }
    assert.deepEqual(refusedPods(planned({}), rules('restricted')), [])
    const securityContext = { privileged: true }
    for (const field of ['containerTemplate', 'reloaderContainerTemplate', 'metricsContainerTemplate'])
      assert.match(
        refusedPods(planned({ [field]: { securityContext } }), rules('baseline'))[0]!,
        new RegExp(`^spec\\.jetstream\\.${field}\\.securityContext\\.privileged`),
      )
    assert.match(
      refusedPods(planned({ serviceAccountName: 'x' }), rules('restricted'))[0]!,
      /^spec\.jetstream\.serviceAccountName/,
    )
  })

  test('the default is baseline; another word is an error', () => {
    assert.deepEqual(settingsFrom({}).pods, { level: 'baseline', serviceAccounts: null })
    assert.deepEqual(
      settingsFrom({ POD_SECURITY: 'restricted', SERVICE_ACCOUNTS: 'a, ns/b' }).pods,
      rules('restricted', ['a', 'ns/b']),
    )
    assert.throws(
      () => settingsFrom({ POD_SECURITY: 'privileged' }),
      /--pod-security "privileged" is no level: write one of restricted, baseline, as-written/,
    )
  })

  test('admission and `vedette render` say field, value and remedy; a change of something else than the spec gets in', async () => {
    const spec = {
      template: { volumes: [{ name: 'v', hostPath: { path: '/var' } }] },
      calendar: { t: { interval: '1m' } },
    }
    const object = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'EventSource',
      metadata: { name: 'a', namespace: 'b' },
      spec,
    }
    const { allowed, status } = await review({ uid: 'u', operation: 'CREATE', object }, { settings })
    assert.equal(allowed, false)
    assert.match(
      status!.message,
      /--pod-security baseline.*spec\.template\.volumes\[0\]\.hostPath: "\/var" is not allowed \(HostPath Volumes.*use a PersistentVolumeClaim/,
    )
    assert.equal(
      (await review({ uid: 'u', operation: 'UPDATE', object, oldObject: object }, { settings })).allowed,
      true,
    )
    const loaded = await loadManifest([{ file: 'a.yaml', text: JSON.stringify(object) }])
    const { objects, notes } = render(loaded, settings)
    assert.deepEqual(objects, [])
    assert.match(notes.join('\n'), /EventSource a: refused by --pod-security baseline/)
  })
})

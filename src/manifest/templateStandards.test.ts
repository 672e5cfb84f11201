import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { loadManifest } from './load.ts'
import { diagnosticLine } from './notes.ts'
import { breaches, type PodSecurity } from './podStandards.ts'
import { podBreaches } from './templateStandards.ts'

const source = (template: object) => `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: es }
spec:
  template: ${JSON.stringify(template)}
  calendar: { tick: { interval: 1s } }
`

async function adviceOn(text: string, podSecurity?: PodSecurity): Promise<string[]> {
  const { advice, diagnostics } = await loadManifest([{ file: 'f', text }], { podSecurity })
  assert.deepEqual(diagnostics.map(diagnosticLine), [])
  return advice.map(diagnosticLine).filter((line) => line.includes('--pod-security'))
}

suite('advice on Pods that the controller would not make', () => {
  for (const [field, template, value, control] of [
    [
      'volumes[1].hostPath',
      {
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', hostPath: { path: '/' } },
        ],
      },
      '"/"',
      'HostPath Volumes',
    ],
    [
      'container.securityContext.privileged',
      { container: { securityContext: { privileged: true } } },
      'true',
      'Privileged Containers',
    ],
    [
      'securityContext.sysctls[0].name',
      { securityContext: { sysctls: [{ name: 'kernel.msgmax' }] } },
      '"kernel.msgmax"',
      'Sysctls',
    ],
    [
      'metadata.annotations["container.apparmor.security.beta.kubernetes.io/main"]',
      { metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/main': 'unconfined' } } },
      '"unconfined"',
      'AppArmor',
    ],
  ] as const)
    test(field, async () => {
      const [line = '', ...more] = await adviceOn(source(template))
      assert.deepEqual(more, [])
      assert.ok(line.startsWith('f:5:'), line)
      const said = `: advice: spec.template.${field}: ${value} is not allowed (${control}, baseline level`
      assert.ok(line.includes(said), line)
      assert.match(line, /--pod-security baseline makes no Pods of this object \(.+\)$/)
    })

  test('of a native bus, by the field of each of its containers', async () => {
    const securityContext = { capabilities: { add: ['SYS_ADMIN'] } }
    for (const field of ['containerTemplate', 'reloaderContainerTemplate', 'metricsContainerTemplate']) {
      const spec = { jetstream: { version: 'latest', [field]: { securityContext } } }
      const bus = { apiVersion: 'argoproj.io/v1alpha1', kind: 'EventBus', metadata: { name: 'default' }, spec }
      const [line = '', ...more] = await adviceOn(JSON.stringify(bus))
      assert.deepEqual(more, [])
      const at = `spec.jetstream.${field}.securityContext.capabilities.add`
      assert.ok(line.includes(`: advice: ${at}: ["SYS_ADMIN"] is not allowed (Capabilities,`), line)
    }
  })

  test('nothing of what the default lets in, though another level would not', async () => {
    const template = {
      ...{ serviceAccountName: 'mine', securityContext: { runAsUser: 0, fsGroup: 5 } },
      volumes: [{ name: 'a', nfs: { server: 'x', path: '/' } }],
      container: { securityContext: { allowPrivilegeEscalation: true, capabilities: { add: ['CHOWN'] } } },
    }
    assert.deepEqual(await adviceOn(source(template)), [])
    assert.deepEqual(await adviceOn(source({})), [])
  })

  test('of the level that the controller has: restricted refuses more, and accounts; as-written nothing', async () => {
    const template = {
      ...{ serviceAccountName: 'mine', securityContext: { runAsUser: 0 } },
      volumes: [
        { name: 'a', nfs: { server: 'x', path: '/' } },
        { name: 'b', hostPath: { path: '/' } },
      ],
      container: { securityContext: { allowPrivilegeEscalation: true, capabilities: { drop: [] } } },
    }
    const saidOf = async (level: PodSecurity) =>
      (await adviceOn(source(template), level)).map((line) => line.replace(/^.*: advice: spec\.template\./, ''))
    assert.deepEqual(await saidOf('as-written'), [])
    assert.match(
      (await saidOf('baseline')).join('\n'),
      /^volumes\[1\]\.hostPath: "\/" is not allowed .*the default --pod/,
    )
    const said = await saidOf('restricted')
    assert.deepEqual(said.map((one) => one.split(':')[0]).sort(), [
      'container.securityContext.allowPrivilegeEscalation',
      'container.securityContext.capabilities.drop',
      'securityContext.runAsUser',
      'serviceAccountName',
      'volumes[0].nfs',
      'volumes[1].hostPath',
    ])
    for (const one of said)
      assert.match(one, /a controller with --pod-security restricted makes no Pods of this object \(.+\)$/)
    // What the controller adds where the object is silent is not asked of it.
    assert.deepEqual(await adviceOn(source({}), 'restricted'), [])
  })

  test('no example is told so', async () => {
    const folder = new URL('../../examples/', import.meta.url)
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.yaml')))
      for (const level of ['baseline', 'restricted'] as const) {
        const said = await adviceOn(readFileSync(new URL(name, folder), 'utf8'), level)
        // One reads its origin as an account of its own.
        const but = said.filter((line) => level === 'baseline' || !line.includes(' spec.template.serviceAccountName: '))
        assert.deepEqual(but, [], name)
      }
  })

  test('whatever shape it has, nothing throws, and what is found has words', () => {
    const names = [
      ...['securityContext', 'volumes', 'container', 'metadata', 'annotations', 'hostPath', 'sysctls', 'name', 'type'],
      ...['capabilities', 'add', 'seLinuxOptions', 'seccompProfile', 'appArmorProfile', 'windowsOptions', 'procMount'],
      ...['privileged', 'hostProcess', 'containers', 'ports', 'hostPort', 'toString', 'valueOf', 'path', 'toJSON'],
      'container.apparmor.security.beta.kubernetes.io/main',
    ]
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'medium' },
        fc.constantFrom(null, true, 0, -1, '', 'x', '/'),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names), tie('any'), { maxKeys: 6 }),
      ),
    })).any
    fc.assert(
      fc.property(value, (template) => {
        for (const level of ['baseline', 'restricted'] as const) {
          for (const [kind, spec] of [
            ['EventSource', { template }],
            ['EventBus', { jetstream: template }],
          ] as const)
            for (const { message, path, remedy } of podBreaches(kind, spec, level))
              assert.ok(message !== '' && remedy !== '' && path.length > 2)
          if (typeof template === 'object' && template !== null) breaches({ metadata: {}, spec: template }, level)
        }
      }),
      { numRuns: 3_000, seed: 20261201 },
    )
  })
})

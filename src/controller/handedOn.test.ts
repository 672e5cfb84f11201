import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { loadManifest } from '../manifest/load.ts'
import { review } from './admission.ts'
import { handedOn, limitsWarning } from './handedOn.ts'

type Plain = Record<string, any>

const containerOf = (container: Plain, more: Plain = {}) => handedOn({ container, ...more })!.container as Plain
const named = (env: Plain[]) => Object.fromEntries(env.map(({ name, value }) => [name, value]))

suite('what a template hands on', () => {
  test('honest variables keep their names and values', () => {
    const env = [
      ...['TZ', 'LOG_LEVEL', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'AWS_REGION', 'AWS_PROFILE'],
      ...[
        'GOOGLE_APPLICATION_CREDENTIALS',
        'AZURE_CLIENT_ID',
        'PUBSUB_EMULATOR_HOST',
        'LEADER_ELECTION_LEASE_DURATION',
      ],
      ...['GODEBUG', 'OTEL_SERVICE_NAME', 'MY_OWN'],
    ].map((name) => ({ name, value: `${name}!` }))
    assert.deepEqual(containerOf({ env }).env, env)
    assert.equal(limitsWarning({ container: { env } }), null)
  })

  test('what steers the runtime, prints secrets or is ours is not handed on, and said', () => {
    const names = [
      ...['NODE_OPTIONS', 'NODE_PATH', 'NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_V8_COVERAGE', 'NODE_COMPILE_CACHE'],
      ...['LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH', 'DYLD_INSERT_LIBRARIES', 'GLIBC_TUNABLES', 'GCONV_PATH'],
      ...['MALLOC_CONF', 'OPENSSL_CONF', 'OPENSSL_MODULES', 'SSLKEYLOGFILE', 'UV_THREADPOOL_SIZE', 'BASH_ENV', 'PATH'],
      ...['LMDB_PREBUILD', 'NAPI_RS_NATIVE_LIBRARY_PATH', 'ICU_DATA', 'LOCALDOMAIN', 'RES_OPTIONS', 'HOSTALIASES'],
      ...['DEBUG', 'NODE_DEBUG', 'GRPC_TRACE', 'GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES', 'KUBERNETES_SERVICE_HOST'],
      ...[
        'KUBECONFIG',
        'EVENTSOURCE_OBJECT',
        'EVENTBUS_CONFIG',
        'POD_NAME',
        'LEADER_ELECTION',
        'VEDETTE_ENV_NODE_OPTIONS',
      ],
    ]
    const env = names.map((name) => ({ name, value: 'x' }))
    assert.deepEqual(containerOf({ env }).env, [])
    for (const one of env) {
      const { type, status, message } = limitsWarning({ container: { env: [one] } })!
      assert.deepEqual([type, status], ['TemplateLimited', 'True'])
      assert.match(
        message!,
        new RegExp(`^spec\\.template\\.container\\.env\\[0\\]\\.name: ${one.name} .*not given to the Pods`),
      )
    }
  })

  test('no name of envFrom is one that anything looks at before our first line', () => {
    const envFrom = [{ configMapRef: { name: 'a' } }, { prefix: 'NODE_', secretRef: { name: 'b', optional: true } }]
    assert.deepEqual(containerOf({ envFrom }).envFrom, [
      { prefix: 'VEDETTE_ENV_', configMapRef: { name: 'a' } },
      { prefix: 'VEDETTE_ENV_NODE_', secretRef: { name: 'b', optional: true } },
    ])
    assert.match(
      limitsWarning({ container: { envFrom } })!.message!,
      /envFrom\[1\].prefix: variables that begin with NODE_/,
    )
  })

  test('references still find what they mean, also in paths', () => {
    const envFrom = [{ secretRef: { name: 's' } }]
    const env = [
      { name: 'USER', value: 'u' },
      { name: 'HOME', value: '/home' },
      { name: 'HTTPS_PROXY', value: 'http://$(USER):$(PASSWORD)@$(PROXY_SERVICE_HOST):3128/$$(USER)$(HOME)' },
    ]
    const volumeMounts = [{ name: 'v', mountPath: '/v', subPathExpr: '$(USER)/$(TENANT)' }]
    const made = containerOf({ env, envFrom, volumeMounts })
    assert.deepEqual(named(made.env), {
      USER: 'u',
      VEDETTE_ENV_HOME: '/home',
      HTTPS_PROXY: 'http://$(USER):$(VEDETTE_ENV_PASSWORD)@$(PROXY_SERVICE_HOST):3128/$$(USER)$(VEDETTE_ENV_HOME)',
    })
    assert.equal(made.volumeMounts[0].subPathExpr, '$(USER)/$(VEDETTE_ENV_TENANT)')
    const alone = containerOf({ env: [{ name: 'HTTP_PROXY', value: '$(X)' }] })
    assert.equal(alone.env[0].value, '$(X)')
  })

  test('nothing is mounted over, into or around code, by any spelling; elsewhere all is', () => {
    const mounts = (paths: string[], volumes: Plain[] = []) => {
      const volumeMounts = paths.map((mountPath, i) => ({ name: `v${i}`, mountPath }))
      return containerOf({ volumeMounts }, { volumes }).volumeMounts.map(({ mountPath }: Plain) => mountPath)
    }
    const refused = [
      ...['/', '/app', '/app/', '//app', '/x/../app', 'app', '/app/node_modules/pino', '/usr', '/usr/local/bin/node'],
      ...['/etc', '/etc/ssl', '/etc/ssl/openssl.cnf', '/etc/ld.so.preload', '/lib64', '/usr/lib/x86_64-linux-gnu'],
      ...['/node_modules/bufferutil', '/.node_modules', '/proc/self', '/dev/shm', '/bin/sh', './lib'],
    ]
    for (const path of refused) assert.deepEqual(mounts([path]), [], path)
    const honest = [
      ...['/test-data', '/etc/ssl/certs', '/etc/ssl/certs/own.pem', '/data', '/home/argo/.aws', '/tmp/x'],
      ...['/root', '/home/argo'].map((home) => `${home}/.config`),
      ...['/usr/share/zoneinfo', '/etc/localtime', '/var/run/secrets/tokens', '/appdata'],
      '/usr/local/share/ca-certificates',
    ]
    assert.deepEqual(mounts(honest), honest)
    const nested = ['/data', '/data/in']
    assert.deepEqual(mounts(nested, [{ name: 'v0', configMap: { name: 'c' } }]), nested)
    assert.deepEqual(mounts(nested, [{ name: 'v0', persistentVolumeClaim: { claimName: 'c' } }]), ['/data'])
  })

  test('the rest of the template is as it was', () => {
    const template = {
      serviceAccountName: 'me',
      volumes: [{ name: 'v', emptyDir: {} }],
      container: { resources: { a: 1 } },
    }
    const made = handedOn(template)!
    assert.deepEqual(
      [made.serviceAccountName, made.volumes, made.container.resources],
      ['me', template.volumes, { a: 1 }],
    )
    assert.equal(handedOn(undefined), undefined)
    assert.deepEqual(handedOn({ nodeSelector: { a: 'b' } }), { nodeSelector: { a: 'b' } })
  })

  test('`validate` advises, admission warns and lets in', async () => {
    const spec = {
      template: {
        container: {
          env: [{ name: 'NODE_OPTIONS', value: '--inspect' }],
          volumeMounts: [{ name: 'v', mountPath: '/app' }],
        },
      },
      calendar: { tick: { interval: '1m' } },
    }
    const object = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'EventSource',
      metadata: { name: 'a', namespace: 'b' },
      spec,
    }
    const { advice, diagnostics } = await loadManifest([{ file: 'a.yaml', text: JSON.stringify(object) }])
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(
      advice.map(({ at }) => at),
      ['spec.template.container.env[0].name', 'spec.template.container.volumeMounts[0].mountPath'],
    )
    const { allowed, warnings } = await review({ uid: 'u', operation: 'CREATE', object })
    assert.equal(allowed, true)
    assert.match(warnings!.join('\n'), /NODE_OPTIONS steers the runtime[\s\S]*"\/app" would take the place of code/)
  })
})

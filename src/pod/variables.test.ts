import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeEnvironment } from './variables.ts'

test('the environment of a Pod holds what something reads, and of the author’s what he may set', () => {
  const env = {
    ...{
      EVENTSOURCE_OBJECT: 'o',
      POD_NAME: 'p',
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
      PATH: '/bin',
      HOME: '/',
      TZ: 'UTC',
    },
    ...{ LMDB_PREBUILD: '/x', DEBUG: '*', REDIS_PORT: 'tcp://1', MINE: 'm', AWS_REGION: 'here' },
    VEDETTE_ENV_AWS_REGION: 'there',
    VEDETTE_ENV_AWS_PROFILE: 'p',
    VEDETTE_ENV_HOME: '/home',
    VEDETTE_ENV_MINE: 'm',
    VEDETTE_ENV_NODE_OPTIONS: '--inspect',
    VEDETTE_ENV_POD_NAME: 'evil',
    VEDETTE_ENV_VEDETTE_ENV_X: 'x',
    VEDETTE_ENV_SSL_CERT_DIR: '/a:/b',
    VEDETTE_ENV_NODE_EXTRA_CA_CERTS: '/c',
  }
  const { refused, authorities } = closeEnvironment(env)
  assert.deepEqual(env, {
    ...{
      EVENTSOURCE_OBJECT: 'o',
      POD_NAME: 'p',
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
      PATH: '/bin',
      HOME: '/home',
      TZ: 'UTC',
    },
    ...{ AWS_REGION: 'here', AWS_PROFILE: 'p' },
  })
  assert.deepEqual(refused, ['NODE_OPTIONS', 'POD_NAME', 'VEDETTE_ENV_X'])
  assert.deepEqual(authorities, ['/a', '/b', '/c'])
})

/** What `validate` knows of senders and their APIs, of every type to which a provider posts: what it cannot send, and addresses that cannot be meant so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding, SourceDefinition } from '../../src/source.ts'
import { loadSource } from '../../src/sources/index.ts'

const secret = { name: 's', key: 'k' }
const webhook = { endpoint: '/x', port: '12000', method: 'POST', url: 'https://us' }

/** An entry with which nothing is wrong, and the field with the address of the provider's API. */
const good: Record<string, { spec: object; base?: string; sendsToken?: true }> = {
  github: {
    spec: {
      ...{ repositories: [{ owner: 'o', names: ['r'] }], events: ['push'], active: true, apiToken: secret },
      ...{ webhookSecret: secret, githubBaseURL: 'https://h/api/v3', githubUploadURL: 'https://h/api/uploads' },
    },
    base: 'githubBaseURL',
  },
  gitlab: {
    spec: {
      ...{ events: ['PushEvents'], gitlabBaseURL: 'https://h', accessToken: secret, secretToken: secret },
      projects: ['acme/shop'],
    },
    base: 'gitlabBaseURL',
    sendsToken: true,
  },
  bitbucket: {
    spec: {
      repositories: [{ owner: 'o', repositorySlug: 'r' }],
      ...{ auth: { basic: { username: secret, password: secret } }, events: ['repo:push'], webhookSecret: secret },
    },
    base: 'bitbucketBaseURL',
  },
  bitbucketserver: {
    spec: {
      ...{ bitbucketserverBaseURL: 'https://h/rest', accessToken: secret, webhookSecret: secret },
      ...{ repositories: [{ projectKey: 'P', repositorySlug: 'r' }], events: ['repo:refs_changed'] },
    },
    base: 'bitbucketserverBaseURL',
  },
  slack: { spec: { token: secret, signingSecret: secret } },
}

for (const [type, { spec, base, sendsToken }] of Object.entries(good)) {
  test(`${type}: a token that the provider cannot send, where it cannot post to, an API without a scheme`, async () => {
    const definition: SourceDefinition<any, any> = (await loadSource(type as never))!
    const found = (more: object): Finding[] =>
      definition.validate!(definition.spec.parse({ webhook, ...spec, ...more }))
    const told = (more: object) => found(more).map(({ severity, path }) => `${severity} ${path.join('.')}`)
    assert.deepEqual(found({}), [])
    const withToken = told({ webhook: { ...webhook, authSecret: secret } })
    assert.deepEqual(withToken, sendsToken ? [] : ['warning webhook.authSecret'])
    assert.deepEqual(told({ webhook: { ...webhook, url: 'us:8080' } }), ['warning webhook.url'])
    for (const endpoint of ['/x?token=1', '/x#y', '/a%20b']) {
      assert.deepEqual(told({ webhook: { ...webhook, endpoint } }), ['warning webhook.endpoint'], endpoint)
    }
    if (base === undefined) return
    for (const address of ['h.example.com', 'h:8443/x', 'ftp://h', 'https://']) {
      const [{ severity, path, remedy } = {} as Finding, ...more] = found({ [base]: address })
      assert.deepEqual([severity, path, more], ['warning', [base], []], address)
      assert.match(remedy!, /^write https:\/\/h/)
    }
  })
}

test('bitbucket: half of a login is none', async () => {
  const definition: SourceDefinition<any, any> = (await loadSource('bitbucket'))!
  for (const basic of [{ username: secret }, { password: secret }]) {
    const [{ severity, message } = {} as Finding] = definition.validate!(
      definition.spec.parse({ webhook, ...good.bitbucket!.spec, auth: { basic } }),
    )
    assert.equal(severity, 'warning')
    assert.match(message!, / is no login: no hook is created$/)
  }
})

import type { TestContext } from 'node:test'
import bitbucket from '../../src/sources/bitbucket.ts'
import bitbucketserver from '../../src/sources/bitbucketserver.ts'
import github from '../../src/sources/github.ts'
import gitlab from '../../src/sources/gitlab.ts'
import type { FakeApi } from '../servers/fakes/api.ts'
import { startFakeBitbucket } from '../servers/fakes/bitbucket.ts'
import { startFakeBitbucketServer } from '../servers/fakes/bitbucketserver.ts'
import { startFakeGithub } from '../servers/fakes/github.ts'
import { startFakeGitlab } from '../servers/fakes/gitlab.ts'
import { hooksContract } from './hooks.ts'

const webhook = { endpoint: '/e', port: '12000', method: 'POST', url: 'https://us/' }
const URL_OF_OURS = 'https://us/e'
const selector = (key: string) => ({ name: 's', key })

const closing = <F extends FakeApi>(t: TestContext, fake: F): F => {
  t.after(() => fake.close().catch(() => {}))
  return fake
}
/** The list at a key, which is made when it is not there. */
const listAt = <T>(map: Map<string, T[]>, key: string): T[] => {
  const list = map.get(key) ?? []
  map.set(key, list)
  return list
}

hooksContract(github, async (t) => {
  const fake = closing(t, await startFakeGithub())
  const spec = {
    webhook,
    repositories: [{ owner: 'acme', names: ['shop'] }],
    events: ['push'],
    active: true,
    githubBaseURL: fake.url,
    githubUploadURL: fake.url,
    apiToken: selector('token'),
    webhookSecret: selector('secret'),
  }
  return {
    api: fake,
    spec,
    otherEvents: { ...spec, events: ['push', 'fork'] },
    addOthers(count) {
      for (let i = 0; i < count; i++) fake.addHook('repos/acme/shop', { config: { url: `https://other/${i}` } })
    },
    ours: () =>
      listAt(fake.hooks, 'repos/acme/shop')
        .filter(({ config }) => config.url === URL_OF_OURS)
        .map(({ id, config }) => ({ id: String(id), secret: config.secret })),
  }
})

hooksContract(gitlab, async (t) => {
  const fake = closing(t, await startFakeGitlab())
  const spec = {
    webhook,
    projects: ['acme/shop'],
    events: ['PushEvents'],
    gitlabBaseURL: `${fake.url}/`,
    accessToken: selector('token'),
    secretToken: selector('secret'),
  }
  return {
    api: fake,
    spec,
    otherEvents: { ...spec, events: ['PushEvents', 'DeploymentEvents', 'EnableSSLVerification'] },
    addOthers(count) {
      const hooks = listAt(fake.hooks, 'projects/acme/shop')
      for (let id = 0; id < count; id++)
        hooks.push({ id, url: `https://other/${id}`, created_at: '2026-01-01T00:00:00Z' })
    },
    ours: () =>
      listAt(fake.hooks, 'projects/acme/shop')
        .filter(({ url }) => url === URL_OF_OURS)
        .map(({ id, token }) => ({ id: String(id), secret: token })),
  }
})

hooksContract(bitbucket, async (t) => {
  const fake = closing(t, await startFakeBitbucket())
  const spec = {
    webhook,
    repositories: [{ owner: 'acme', repositorySlug: 'shop' }],
    events: ['repo:push'],
    auth: { basic: { username: selector('user'), password: selector('token') } },
    webhookSecret: selector('secret'),
    bitbucketBaseURL: fake.url,
  }
  return {
    api: fake,
    spec,
    otherEvents: { ...spec, events: ['repo:fork'], auth: { oauthToken: selector('token') } },
    addOthers(count) {
      const hooks = listAt(fake.hooks, 'acme/shop')
      for (let i = 0; i < count; i++) {
        const rest = { active: true, events: [], description: '', created_at: '2026-01-01T00:00:00Z' }
        hooks.push({ uuid: `{${i}}`, url: `https://other/${i}`, ...rest })
      }
    },
    ours: () =>
      listAt(fake.hooks, 'acme/shop')
        .filter(({ url }) => url === URL_OF_OURS)
        .map(({ uuid, secret }) => ({ id: uuid, secret })),
  }
})

hooksContract(bitbucketserver, async (t) => {
  const fake = closing(t, await startFakeBitbucketServer())
  const spec = {
    webhook,
    repositories: [{ projectKey: 'SHOP', repositorySlug: 'orders' }],
    events: ['repo:refs_changed'],
    accessToken: selector('token'),
    webhookSecret: selector('secret'),
    bitbucketserverBaseURL: `${fake.url}/rest`,
  }
  return {
    api: fake,
    spec,
    otherEvents: { ...spec, events: ['repo:refs_changed', 'pr:opened'] },
    addOthers(count) {
      const hooks = listAt(fake.hooks, 'SHOP/orders')
      for (let id = 0; id < count; id++) {
        const rest = { name: '', createdDate: 1, events: [], configuration: {}, active: true }
        hooks.push({ id, url: `https://other/${id}`, ...rest })
      }
    },
    ours: () =>
      listAt(fake.hooks, 'SHOP/orders')
        .filter(({ url }) => url === URL_OF_OURS)
        .map(({ id, configuration }) => ({ id: String(id), secret: configuration.secret })),
  }
})

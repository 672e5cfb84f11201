import { createHmac } from 'node:crypto'
import bitbucket from '../../src/sources/bitbucket.ts'
import bitbucketserver from '../../src/sources/bitbucketserver.ts'
import github from '../../src/sources/github.ts'
import gitlab from '../../src/sources/gitlab.ts'
import webhook from '../../src/sources/webhook.ts'
import { type Scheme, signatureContract } from './signatures.ts'

const selector = (key: string) => ({ name: 's', key })
const context = (port: number) => ({ endpoint: '/e', port: String(port), method: 'POST', url: '' })
const digest = (body: Buffer, key: string | Buffer, encoding: 'hex' | 'base64') =>
  createHmac('sha256', key).update(body).digest(encoding)

/** `X-Hub-Signature` and its like. */
const hub = (header: string, spec: Scheme['spec']): Scheme => ({
  name: header,
  spec,
  secrets: ['hunter2', 'correct horse é'],
  prove: (body, secret) => ({ [header]: `sha256=${digest(body, secret, 'hex')}` }),
  header,
  signsBody: true,
  signsTime: false,
  anyCase: true,
})

const keys = ['0123456789abcdef0123456789abcdef', 'fedcba9876543210fedcba9876543210'].map((text) => Buffer.from(text))
const standard = (spec: Scheme['spec']): Scheme => ({
  name: 'Standard Webhooks',
  spec,
  // With the usual prefix and without.
  secrets: [`whsec_${keys[0]!.toString('base64')}`, keys[1]!.toString('base64')],
  prove(body, secret, nowS) {
    const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
    const signed = Buffer.concat([Buffer.from(`m1.${nowS}.`), body])
    const signature = `v1,${digest(signed, key, 'base64')}`
    return { 'webhook-id': 'm1', 'webhook-timestamp': String(nowS), 'webhook-signature': signature }
  },
  header: 'webhook-signature',
  signsBody: true,
  signsTime: true,
  anyCase: false,
})

const githubSpec = (port: number) => ({
  webhook: context(port),
  organizations: ['acme'],
  webhookSecret: selector('secret'),
})
signatureContract(github, hub('X-Hub-Signature-256', githubSpec))
signatureContract(github, hub('X-Hub-Signature', githubSpec))

const gitlabSpec = (port: number) => ({
  webhook: context(port),
  events: [],
  gitlabBaseURL: 'http://127.0.0.1:9',
  accessToken: selector('token'),
})
signatureContract(gitlab, {
  name: 'X-Gitlab-Token',
  spec: (port) => ({ ...gitlabSpec(port), secretToken: selector('secret') }),
  secrets: ['hunter2', 'correct-horse'],
  prove: (_, secret) => ({ 'X-Gitlab-Token': secret }),
  header: 'X-Gitlab-Token',
  signsBody: false,
  signsTime: false,
  anyCase: false,
})
signatureContract(
  gitlab,
  standard((port) => ({ ...gitlabSpec(port), signingToken: selector('secret') })),
)

signatureContract(
  bitbucket,
  hub('X-Hub-Signature', (port) => ({
    webhook: context(port),
    repositories: [{ owner: 'acme', repositorySlug: 'shop' }],
    auth: {},
    webhookSecret: selector('secret'),
  })),
)
signatureContract(
  bitbucketserver,
  hub('X-Hub-Signature', (port) => ({
    webhook: context(port),
    bitbucketserverBaseURL: 'http://127.0.0.1:9/rest',
    webhookSecret: selector('secret'),
  })),
)

signatureContract(
  webhook,
  standard((port) => ({ ...context(port), signature: { secret: selector('secret') } })),
)
signatureContract(
  webhook,
  hub('X-Hub-Signature-256', (port) => ({
    ...context(port),
    signature: { secret: selector('secret'), scheme: 'hmac-sha256' },
  })),
)
signatureContract(webhook, {
  ...hub('X-Signature', (port) => ({
    ...context(port),
    signature: {
      secret: selector('secret'),
      scheme: 'hmac-sha256',
      header: 'X-Signature',
      prefix: '',
      encoding: 'base64',
    },
  })),
  name: 'HMAC in base64',
  prove: (body, secret) => ({ 'X-Signature': digest(body, secret, 'base64') }),
  anyCase: false,
})

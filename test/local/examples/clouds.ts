/** Doubles of clouds: LocalStack, Google's fake of Pub/Sub, and ours of Event Hubs. */

import { CreateTopicCommand, PublishCommand, SNSClient } from '@aws-sdk/client-sns'
import { v1 } from '@google-cloud/pubsub-api'
import { emulatorAt } from '../../../src/sources/pubSub/client.ts'
import { without } from '../../servers/cache.ts'
import { startEventHubs } from '../../servers/event-hubs.ts'
import { deliveries } from '../../servers/fakes/deliveries.ts'
import { localstackPython, startLocalstack } from '../../servers/localstack.ts'
import { freePorts } from '../../servers/process.ts'
import { pstestBinary, startPstest } from '../../servers/pubsub.ts'
import { makeQueue } from '../../servers/sqs-queue.ts'
import { origin } from './example.ts'
import { refused } from './hooks.ts'

const keys = { accesskey: 'test', secretkey: 'test' }

const aws = origin({
  files: ['sns', 'upstream/aws-sns', 'sqs', 'upstream/aws-sqs'],
  skip: without('LocalStack', localstackPython()),
  async start() {
    const server = await startLocalstack()
    const endpoint = server.url
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    const client = new SNSClient({ region: 'us-east-1', endpoint, credentials })
    const [port, otherPort] = (await freePorts(2)) as [number, number]
    /** An entry with a topic of its own, which SNS can tell where the entry listens. */
    const topic = async (name: string, entry: string, at: number, signed: boolean) => {
      const { TopicArn } = await client.send(new CreateTopicCommand({ Name: name }))
      return {
        put: {
          [`sns.${entry}.topicArn`]: TopicArn,
          [`sns.${entry}.endpoint`]: endpoint,
          [`sns.${entry}.webhook.port`]: String(at),
          [`sns.${entry}.webhook.url`]: `http://127.0.0.1:${at}`,
        },
        entries: {
          [entry]: {
            async send(n: number) {
              if (signed) await refused(`http://127.0.0.1:${at}/sns`, deliveries.sns(`m${n}`, TopicArn!))
              await client.send(new PublishCommand({ TopicArn, Message: `m${n}` }))
            },
            data: (n: number) => ({ body: { Type: 'Notification', TopicArn, Message: `m${n}` } }),
          },
        },
      }
    }
    const queues = await Promise.all(['orders', 'test'].map((name) => makeQueue(endpoint, name)))
    const queue = (of: number) => ({
      send: (n: number) => queues[of]!.send([`m${n}`]),
      data: (n: number) => ({ body: { key: `m${n}` } }),
    })
    return {
      // One of the examples takes them from the default chain.
      env: { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
      examples: {
        sns: await topic('orders', 'orders', port, true),
        'upstream/aws-sns': { ...(await topic('test', 'example', otherPort, false)), secrets: { 'aws-secret': keys } },
        sqs: { put: { 'sqs.orders.endpoint': endpoint }, secrets: { aws: keys }, entries: { orders: queue(0) } },
        'upstream/aws-sqs': {
          put: { 'sqs.example.endpoint': endpoint },
          secrets: { 'aws-secret': keys },
          entries: { example: queue(1) },
        },
      },
      async close() {
        client.destroy()
        for (const one of queues) one.close()
        await server.close()
      },
    }
  },
})

const pubsub = origin({
  files: ['pubsub', 'upstream/gcp-pubsub'],
  skip: without('the Pub/Sub fake', pstestBinary()),
  async start() {
    const server = await startPstest()
    const publisher = new v1.PublisherClient({ ...(await emulatorAt(server.host)), projectId: 'my-project' })
    const to = async (name: string) => {
      await publisher.createTopic({ name })
      return {
        send: (n: number) =>
          publisher.publish({ topic: name, messages: [{ data: Buffer.from(JSON.stringify({ n })) }] }),
        data: (n: number) => ({ body: { n } }),
      }
    }
    return {
      env: { PUBSUB_EMULATOR_HOST: server.host },
      examples: {
        pubsub: {
          secrets: { gcp: { 'key.json': '{}' } },
          entries: { orders: await to('projects/my-project/topics/orders') },
        },
        'upstream/gcp-pubsub': {
          secrets: { 'my-secret': { 'secret-key': '{}' } },
          entries: { example: await to('projects/argo-events-XXXXX/topics/test') },
        },
      },
      async close() {
        await publisher.close()
        await server.close()
      },
    }
  },
})

const eventHubs = origin({
  files: ['azure-events-hub', 'upstream/azure-events-hub'],
  skip: false,
  async start() {
    const server = await startEventHubs({ orders: 2, hub_name: 2 })
    const { fqdn, policy } = server
    const producers = ['orders', 'hub_name'].map((hub) => server.producer(hub))
    const text = (n: number) => JSON.stringify({ n, total: 101 })
    const to = (of: number) => ({
      send: (n: number) => producers[of]!.sendBatch([{ body: Buffer.from(text(n)) }]),
      data: (n: number) => ({ body: Buffer.from(text(n)).toString('base64') }),
    })
    const here = (entry: string) => ({
      [`azureEventsHub.${entry}.fqdn`]: fqdn,
      [`azureEventsHub.${entry}.useDevelopmentEmulator`]: true,
    })
    return {
      examples: {
        'azure-events-hub': {
          put: here('orders'),
          secrets: { 'azure-event-hubs': { sharedAccessKeyName: policy.name, sharedAccessKey: policy.key } },
          entries: { orders: to(0) },
        },
        'upstream/azure-events-hub': {
          // What stands there are descriptions.
          put: {
            ...here('example'),
            'azureEventsHub.example.sharedAccessKeyName': { name: 'policy', key: 'name' },
            'azureEventsHub.example.sharedAccessKey': { name: 'policy', key: 'key' },
          },
          secrets: { policy: { ...policy } },
          entries: { example: to(1) },
        },
      },
      async close() {
        await Promise.all(producers.map((one) => one.close()))
        await server.close()
      },
    }
  },
})

export const clouds = [aws, pubsub, eventHubs]

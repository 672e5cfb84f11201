import { join } from 'node:path'
import { installed } from './cache.ts'
import type { AwsServer } from './localstack.ts'
import { installJars } from './maven.ts'
import { freePorts, startProcess } from './process.ts'

export const ELASTICMQ_VERSION = '1.7.1'
const folder = `elasticmq-${ELASTICMQ_VERSION}`

export function elasticmqJars(): string | null {
  return installed(folder, 'libs', `elasticmq-server_2.13-${ELASTICMQ_VERSION}.jar`) === null
    ? null
    : installed(folder, 'libs')
}

/** @throws when Maven is missing or a jar cannot be had */
export const installElasticmq = () =>
  installJars(folder, [['org.elasticmq', 'elasticmq-server_2.13', ELASTICMQ_VERSION]])

/** In memory: a restart has lost everything. @param port the port to take; any free one by default */
export async function startElasticmq(port?: number): Promise<AwsServer> {
  const jars = elasticmqJars()
  if (jars === null) throw new Error('ElasticMQ is not installed: npm run servers')
  port ??= (await freePorts(1))[0]!
  const url = `http://127.0.0.1:${port}`
  const server = await startProcess(
    'java',
    [
      '-Xms64m',
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-cp',
      join(jars, '*'),
      '-Dnode-address.host=127.0.0.1',
      `-Dnode-address.port=${port}`,
      '-Drest-sqs.bind-hostname=127.0.0.1',
      `-Drest-sqs.bind-port=${port}`,
      'org.elasticmq.server.Main',
    ],
    {
      ready: async () => (await fetch(`${url}/?Action=ListQueues`, { signal: AbortSignal.timeout(5000) })).ok,
      timeoutMs: 120_000,
    },
  )
  return { ...server, url, port, close: () => server.kill() }
}

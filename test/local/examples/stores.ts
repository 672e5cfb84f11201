/** What is watched for changes: directories, buckets, objects of a cluster. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KubeObject, type Resource, resources } from '../../../src/kube/resources.ts'
import { without } from '../../servers/cache.ts'
import { hadoopJars, startHdfs } from '../../servers/hdfs.ts'
import { apiOnly, kubernetesBinaries } from '../../servers/kubernetes/build.ts'
import { startKubernetes } from '../../servers/kubernetes.ts'
import { MINIO_PASSWORD, MINIO_USER, minioBinary, startMinio } from '../../servers/minio.ts'
import { s3 } from '../../servers/s3.ts'
import { origin } from './example.ts'

const CREATE = 1
const WRITE = 2

const files = origin({
  files: ['file', 'file-polling', 'upstream/file'],
  skip: false,
  async start() {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-examples-'))
    const [inbox, reports, data] = ['inbox', 'reports', 'test-data'].map((name) => {
      mkdirSync(join(dir, name))
      return join(dir, name)
    }) as [string, string, string]
    const [report, created] = [join(reports, 'report.txt'), join(data, 'x.txt')]
    writeFileSync(report, '')
    return {
      examples: {
        file: {
          put: { 'file.arrived.watchPathConfig.directory': inbox },
          entries: {
            arrived: {
              send: async (n) => writeFileSync(join(inbox, `${n}.csv`), ''),
              data: (n) => ({ name: join(inbox, `${n}.csv`), op: CREATE, metadata: { team: 'billing' } }),
            },
          },
        },
        'file-polling': {
          put: { 'file.report.watchPathConfig.directory': reports },
          entries: {
            report: {
              send: async () => appendFileSync(report, '.'),
              // By polling the name alone is told.
              data: () => ({ name: 'report.txt', op: WRITE }),
            },
          },
        },
        'upstream/file': {
          put: { 'file.example.watchPathConfig.directory': `${data}/` },
          entries: {
            example: {
              async send() {
                rmSync(created, { force: true })
                writeFileSync(created, '')
              },
              data: () => ({ name: created, op: CREATE }),
            },
          },
        },
      },
      close: () => rmSync(dir, { recursive: true, force: true }),
    }
  },
})

const minio = origin({
  files: ['minio', 'upstream/minio'],
  skip: without('MinIO', minioBinary()),
  async start() {
    const server = await startMinio()
    const { endpoint } = server
    for (const bucket of ['input', 'other']) await s3(endpoint, 'PUT', `/${bucket}`)
    const keys = { accesskey: MINIO_USER, secretkey: MINIO_PASSWORD }
    const into = (bucket: string, prefix: string) => ({
      send: (n: number) => s3(endpoint, 'PUT', `/${bucket}/${prefix}${n}`, 'x'),
      data: (n: number) => ({
        notification: [{ eventName: 's3:ObjectCreated:Put', s3: { object: { key: `${prefix}${n}` } } }],
      }),
    })
    return {
      examples: {
        minio: {
          put: { 'minio.uploads.endpoint': endpoint },
          secrets: { minio: keys },
          entries: { uploads: into('input', 'uploads/') },
        },
        'upstream/minio': {
          // That of the other example gets objects of its own.
          put: { 'minio.example.endpoint': endpoint, 'minio.example.bucket.name': 'other' },
          secrets: { 'artifacts-minio': keys },
          entries: { example: into('other', '') },
        },
      },
      close: () => server.close(),
    }
  },
})

const hdfs = origin({
  files: ['hdfs', 'upstream/hdfs'],
  skip: without('Hadoop', hadoopJars()),
  async start() {
    const server = await startHdfs({ files: false })
    for (const dir of ['/data/in', '/data/reports/daily']) await server.call('PUT', dir, 'op=MKDIRS')
    // The little cluster has its ports where it found free ones; and nobody waits for the next look.
    const here = (entry: string) => ({
      [`hdfs.${entry}.addresses`]: ['127.0.0.1:8020'],
      [`hdfs.${entry}.webhdfsAddresses`]: [server.url],
      [`hdfs.${entry}.checkInterval`]: '500ms',
    })
    // A directory is there at once, where a file is written after it was made.
    const made = (path: string, as: object = { op: CREATE }) => ({
      async send() {
        await server.call('DELETE', path, 'op=DELETE')
        await server.call('PUT', path, 'op=MKDIRS')
      },
      data: () => ({ name: path, ...as }),
    })
    return {
      examples: {
        hdfs: {
          put: { ...here('arrived'), ...here('report') },
          entries: {
            arrived: {
              send: (n) => server.call('PUT', `/data/in/${n}.parquet`, 'op=MKDIRS'),
              data: (n) => ({ name: `/data/in/${n}.parquet`, op: CREATE }),
            },
            // Made anew between two looks it is written to.
            report: made('/data/reports/daily/report.csv', {}),
          },
        },
        'upstream/hdfs': { put: here('example'), entries: { example: made('/tmp/x.txt') } },
      },
      close: () => server.close(),
    }
  },
})

/** As Argo Workflows has it, as far as the example needs it. */
const workflowDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'workflows.argoproj.io' },
  spec: {
    group: 'argoproj.io',
    names: { kind: 'Workflow', plural: 'workflows' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}
const workflows: Resource = {
  ...resources.eventsources,
  plural: 'workflows',
  kind: 'Workflow',
}

const kubernetes = origin({
  files: ['resource', 'upstream/resource'],
  skip: without('Kubernetes', kubernetesBinaries(apiOnly)),
  async start() {
    const cluster = await startKubernetes({ controllers: false })
    const apply = (resource: Resource, object: KubeObject) =>
      cluster.client.apply(resource, object, { manager: 'test' })
    await apply(resources.customresourcedefinitions, workflowDefinition)
    const namespace = await cluster.namespace('argo-events')
    return {
      env: { KUBECONFIG: cluster.kubeconfig },
      examples: {
        resource: {
          entries: {
            configmaps: {
              send(n) {
                const metadata = { name: `c${n}`, namespace: 'default', labels: { app: 'orders' } }
                return apply(resources.configmaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata })
              },
              data: (n) => ({ type: 'ADD', body: { metadata: { name: `c${n}` } }, resource: 'configmaps' }),
            },
          },
        },
        'upstream/resource': {
          entries: {
            example: {
              send(n) {
                const metadata = { name: `w${n}`, namespace, labels: { app: 'my-workflow' } }
                return apply(workflows, { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', metadata, spec: {} })
              },
              data: (n) => ({
                type: 'ADD',
                body: { kind: 'Workflow', metadata: { name: `w${n}` } },
                group: 'argoproj.io',
              }),
            },
          },
        },
      },
      close: () => cluster.stop(),
    }
  },
})

export const stores = [files, minio, hdfs, kubernetes]

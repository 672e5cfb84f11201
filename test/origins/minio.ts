/** MinIO for tests of delivery, an object per message. What nobody heard is found by listing. */

import { dataOf } from '../faults/rig.ts'
import { without } from '../servers/cache.ts'
import { MINIO_PASSWORD, MINIO_USER, minioBinary, startMinio } from '../servers/minio.ts'
import { s3 } from '../servers/s3.ts'
import { type DeliveryAdapter, direct } from './broker.ts'
import { type ContractAdapter, looked, type Share } from './suites.ts'

export const minioAdapter = (): DeliveryAdapter => ({
  type: 'minio',
  guarantee: 'exactly-once',
  skip: without('MinIO', minioBinary()),
  // A listener is answered after a second; the listing comes then.
  gapMs: 5_000,
  numberOf: (line) => Number(dataOf(line).notification[0].s3.object.key.slice('n/'.length)),
  async start(_, __, via = direct) {
    const server = await startMinio()
    await s3(server.endpoint, 'PUT', '/input')
    /** Whether it arrived is not known: written once more it would be another event. */
    const unsure = new Set<string>()
    const put = async (text: string) => {
      const path = `/input/n/${JSON.parse(text).n}`
      if (unsure.has(path)) {
        const there = await s3(server.endpoint, 'GET', path).then(
          () => true,
          (error: Error) => {
            if (!/NoSuchKey/.test(error.message)) throw error
            return false
          },
        )
        if (there) return
      }
      unsure.add(path)
      await s3(server.endpoint, 'PUT', path, text)
    }
    return {
      documents: [
        `apiVersion: v1\nkind: Secret\nmetadata: { name: minio }\nstringData: { user: ${MINIO_USER}, password: ${MINIO_PASSWORD} }`,
      ],
      spec: `endpoint: 127.0.0.1:${await via(Number(server.endpoint.split(':')[1]))}
insecure: true
bucket: { name: input }
events: ["s3:ObjectCreated:*"]
filter: { prefix: n/ }
accessKey: { name: minio, key: user }
secretKey: { name: minio, key: password }`,
      async send(texts) {
        for (const text of texts) await put(text)
      },
      restart: () => server.restart(),
      server: () => server.server,
      close: () => server.close(),
    }
  },
})

export const delivery = () => [minioAdapter()]

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startMinio)
  return [
    {
      skip: without('MinIO', minioBinary()),
      async setUp(_, name) {
        const { endpoint } = await server()
        await s3(endpoint, 'PUT', `/${name}`)
        const [accessKey, secretKey] = ['user', 'password'].map((key) => ({ name: 's', key }))
        let n = 0
        return {
          spec: { endpoint, insecure: true, bucket: { name }, events: ['s3:ObjectCreated:*'], accessKey, secretKey },
          options: () => ({ secrets: { 's/user': MINIO_USER, 's/password': MINIO_PASSWORD } }),
          ready: looked,
          provoke: () => s3(endpoint, 'PUT', `/${name}/${n++}`, 'text'),
        }
      },
    },
  ]
}

/** HDFS, a directory per message: see delivery.ts. What nobody saw is found by looking. */
import { after } from 'node:test'
import { without } from '../servers/cache.ts'
import { type HdfsServer, hadoopJars, startHdfs } from '../servers/hdfs.ts'
import { deliveryContract } from './delivery.ts'
import { dataOf } from './rig.ts'

let server: Promise<HdfsServer> | null = null
/** One for all tests of this file: it takes seconds to start. */
const hdfs = (): Promise<HdfsServer> => {
  server ??= startHdfs({ files: false })
  return server
}
after(async () => (await server)?.close())

deliveryContract({
  type: 'hdfs',
  guarantee: 'exactly-once',
  skip: without('Hadoop', hadoopJars()),
  // A look asks a name node, whose Java may be busy.
  gapMs: 5_000,
  numberOf: (line) => Number(dataOf(line).name.split('/').at(-1)),
  async start(_, name) {
    const { url, call, restart } = await hdfs()
    await call('PUT', `/${name}/n`, 'op=MKDIRS')
    return {
      spec: `directory: /${name}/
pathRegexp: ^n/
type: CREATE
checkInterval: 100ms
addresses: [127.0.0.1:8020]
webhdfsAddresses: ["${url}"]
hdfsUser: root`,
      async send(texts) {
        // Making one that is there is no error and no event.
        for (const text of texts) await call('PUT', `/${name}/n/${JSON.parse(text).n}`, 'op=MKDIRS')
      },
      restart,
      close: async () => {},
    }
  },
})

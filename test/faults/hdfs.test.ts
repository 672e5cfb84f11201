/** HDFS, a directory per message: see delivery.ts. What nobody saw is found by looking. */
import { without } from '../servers/cache.ts'
import { hadoopJars, startHdfs } from '../servers/hdfs.ts'
import { deliveryContract } from './delivery.ts'
import { dataOf } from './rig.ts'

deliveryContract({
  type: 'hdfs',
  guarantee: 'exactly-once',
  skip: without('Hadoop', hadoopJars()),
  numberOf: (line) => Number(dataOf(line).name.slice('/in/n/'.length)),
  async start() {
    const server = await startHdfs()
    await server.call('PUT', '/in/n', 'op=MKDIRS')
    return {
      spec: `directory: /in/
pathRegexp: ^n/
type: CREATE
checkInterval: 100ms
addresses: [127.0.0.1:8020]
webhdfsAddresses: ["${server.url}"]
hdfsUser: root`,
      async send(texts) {
        // Making one that is there is no error and no event.
        for (const text of texts) await server.call('PUT', `/in/n/${JSON.parse(text).n}`, 'op=MKDIRS')
      },
      restart: () => server.restart(),
      close: () => server.close(),
    }
  },
})

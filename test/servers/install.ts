/**
 * `npm run servers`: installs the real servers that tests run against into the cache (see cache.ts), each by its ordinary
 * package client. What is there is left alone. Ends with exit code 1 when one could not be installed.
 */
import { APICURIO_VERSION, apicurioJar, installApicurio } from './apicurio.ts'
import { serversDir } from './cache.ts'
import { CLIENT_GO_VERSION, electorBinary, installElector } from './client-go.ts'
import { ELASTICMQ_VERSION, elasticmqJars, installElasticmq } from './elasticmq.ts'
import { HADOOP_VERSION, hadoopJars, installHadoop } from './hdfs.ts'
import { HTTPFS_VERSION, httpfsJars, installHttpfs } from './httpfs.ts'
import { installKafka, KAFKA_VERSION, kafkaJars } from './kafka.ts'
import {
  controlPlane,
  installKubernetes,
  installNodeParts,
  KUBERNETES_VERSION,
  kubernetesBinaries,
  nodeBinaries,
  nodePartsPresent,
} from './kubernetes/build.ts'
import { installLocalstack, LOCALSTACK_VERSION, localstackPython } from './localstack.ts'
import { installMinio, MINIO_VERSION, minioBinary } from './minio.ts'
import { installMosquitto, mosquittoBinary } from './mosquitto.ts'
import { installDebianNats, installNats, natsBinary, natsBuilt } from './nats.ts'
import { installNsq, NSQ_VERSION, nsqdBinary } from './nsq.ts'
import { installPstest, PSTEST_VERSION, pstestBinary } from './pubsub.ts'
import { installPulsar, PULSAR_VERSION, pulsarJars } from './pulsar.ts'
import { installRabbitmq, rabbitmqBinary } from './rabbitmq.ts'
import { installRedis, redisBinary } from './redis.ts'

interface Installable {
  name: string
  /** What must be on the machine first. */
  needs: string
  present: () => boolean
  install: () => void
}

const catalogue: Installable[] = [
  ...(['newest', 'argo', 'oldest'] as const).map((line) => ({
    name: `nats-server ${natsBuilt[line]}`,
    needs: 'Go',
    present: () => natsBinary(line) !== null,
    install: () => installNats(line),
  })),
  {
    name: 'nats-server 2.9 (Debian)',
    needs: 'apt-get and dpkg',
    present: () => natsBinary('debian') !== null,
    install: installDebianNats,
  },
  {
    name: `LocalStack ${LOCALSTACK_VERSION} (SNS, SQS)`,
    needs: 'Python 3.11 with venv and pip',
    present: () => localstackPython() !== null,
    install: installLocalstack,
  },
  {
    name: `ElasticMQ ${ELASTICMQ_VERSION} (SQS)`,
    needs: 'Java 17 and Maven',
    present: () => elasticmqJars() !== null,
    install: installElasticmq,
  },
  { name: `NSQ ${NSQ_VERSION}`, needs: 'Go', present: () => nsqdBinary() !== null, install: installNsq },
  {
    name: 'RabbitMQ (Debian)',
    needs: 'apt-get and dpkg',
    present: () => rabbitmqBinary() !== null,
    install: installRabbitmq,
  },
  {
    name: `Kafka ${KAFKA_VERSION}`,
    needs: 'Java 17 and Maven',
    present: () => kafkaJars() !== null,
    install: installKafka,
  },
  {
    name: `Apicurio Registry ${APICURIO_VERSION}`,
    needs: 'Java 17 and Maven',
    present: () => apicurioJar() !== null,
    install: installApicurio,
  },
  {
    name: `Pulsar ${PULSAR_VERSION}`,
    needs: 'Java 17 and Maven',
    present: () => pulsarJars() !== null,
    install: installPulsar,
  },
  {
    name: `Hadoop ${HADOOP_VERSION} (HDFS)`,
    needs: 'Java 17 and Maven',
    present: () => hadoopJars() !== null,
    install: installHadoop,
  },
  {
    name: `HttpFS ${HTTPFS_VERSION}`,
    needs: 'Java 17 and Maven',
    present: () => httpfsJars() !== null,
    install: installHttpfs,
  },
  {
    name: 'Mosquitto (Debian)',
    needs: 'apt-get and dpkg',
    present: () => mosquittoBinary() !== null,
    install: installMosquitto,
  },
  { name: 'Redis (Debian)', needs: 'apt-get and dpkg', present: () => redisBinary() !== null, install: installRedis },
  {
    name: `Pub/Sub fake ${PSTEST_VERSION}`,
    needs: 'Go',
    present: () => pstestBinary() !== null,
    install: installPstest,
  },
  { name: `MinIO ${MINIO_VERSION}`, needs: 'Go', present: () => minioBinary() !== null, install: installMinio },
  {
    name: `elector of client-go ${CLIENT_GO_VERSION}`,
    needs: 'Go',
    present: () => electorBinary() !== null,
    install: installElector,
  },
  {
    name: `Kubernetes ${KUBERNETES_VERSION} (takes long: ten minutes to half an hour)`,
    needs: 'Go',
    present: () => kubernetesBinaries([...controlPlane, ...nodeBinaries]) !== null,
    install: installKubernetes,
  },
  {
    name: 'Kubernetes nodes: CoreDNS, containerd, runc, CNI plugins (unpacked, not installed)',
    needs: 'Go, and apt-get and dpkg of Debian',
    present: nodePartsPresent,
    install: installNodeParts,
  },
]

console.log(`servers are kept in ${serversDir()}`)
let failed = 0
for (const [i, { name, needs, present, install }] of catalogue.entries()) {
  const at = `[${i + 1}/${catalogue.length}] ${name}`
  if (present()) {
    console.log(`${at}: there`)
    continue
  }
  const startedMs = performance.now()
  console.log(`${at}: installing`)
  try {
    install()
    if (!present()) throw new Error('it is still not there')
    console.log(`${at}: installed in ${Math.round((performance.now() - startedMs) / 1000)} s`)
  } catch (error) {
    failed++
    console.error(`${at}: cannot be installed (needs ${needs}): ${(error as Error).message}`)
  }
}
if (failed > 0) process.exitCode = 1

/** MinIO: see delivery.ts. */
import { minioAdapter } from './brokers/minio.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(minioAdapter())

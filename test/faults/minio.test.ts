/** MinIO: see delivery.ts. */
import { minioAdapter } from '../origins/minio.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract(minioAdapter())

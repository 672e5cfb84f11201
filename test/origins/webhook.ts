/** A sender that names its messages. */
import { context, httpContract } from './http.ts'

export const contract = httpContract(context, (n) => ({ 'idempotency-key': String(n) }))

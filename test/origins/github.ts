/** GitHub, which names its deliveries. */
import { context, httpContract } from './http.ts'

export const contract = httpContract(
  (port) => ({ webhook: context(port), organizations: ['acme'] }),
  (n) => ({ 'x-github-event': 'push', 'x-github-delivery': String(n) }),
)

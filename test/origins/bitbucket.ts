/** Bitbucket, which names its requests. */
import { context, httpContract } from './http.ts'

export const contract = httpContract(
  (port) => ({ webhook: context(port), repositories: [{ owner: 'acme', repositorySlug: 'shop' }], auth: {} }),
  (n) => ({ 'x-event-key': 'repo:push', 'x-request-uuid': String(n) }),
)

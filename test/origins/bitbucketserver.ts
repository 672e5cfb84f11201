/** Bitbucket Server, which names its requests. */
import { context, httpContract } from './http.ts'

export const contract = httpContract(
  (port) => ({ webhook: context(port), bitbucketserverBaseURL: 'http://h/rest' }),
  (n) => ({ 'x-event-key': 'pr:opened', 'x-request-id': String(n) }),
)

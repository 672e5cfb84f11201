/** GitLab, which names its deliveries. */
import { context, httpContract, selector } from './http.ts'

export const contract = httpContract(
  (port) => ({ webhook: context(port), events: [], gitlabBaseURL: 'http://h', accessToken: selector }),
  (n) => ({ 'x-gitlab-event': 'Push Hook', 'idempotency-key': String(n) }),
)

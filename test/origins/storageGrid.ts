/** StorageGRID, which posts forms. */
import { context, httpContract, selector } from './http.ts'

export const contract = httpContract(
  (port) => ({
    webhook: context(port),
    topicArn: 'urn',
    apiURL: 'http://h',
    authToken: selector,
    bucket: 'b',
    events: ['ObjectCreated:*'],
  }),
  () => ({ 'content-type': 'application/x-www-form-urlencoded' }),
  {
    bodyOf: (n) =>
      new URLSearchParams({
        Message: JSON.stringify({ Records: [{ s3: { object: { sequencer: String(n) } } }] }),
      }).toString(),
  },
)

/** StorageGRID's Tenant Management API as far as bucket notifications go ("endpoints", "containers"): answers wrap their data, errors have `message.text`. */
import { type Asked, type FakeApi, startFakeApi } from './api.ts'

export interface FakeStorageGrid extends FakeApi {
  readonly endpoints: Record<string, unknown>[]
  /** Notification configuration by bucket. */
  readonly notifications: Map<string, string | null>
}

/** One bucket, `uploads`. @param token what is accepted */
export async function startFakeStorageGrid({ token = 'good' }: { token?: string } = {}): Promise<FakeStorageGrid> {
  const endpoints: Record<string, unknown>[] = []
  const notifications = new Map<string, string | null>([['uploads', null]])
  const answer = (status: number, data: unknown) => ({
    status,
    body: status < 300 ? { status: 'success', data } : { status: 'error', message: { text: data } },
  })
  const guarded =
    (work: (asked: Asked, params: Record<string, string>) => { status: number; body: unknown }) =>
    (asked: Asked, params: Record<string, string>) =>
      asked.headers.authorization === `Bearer ${token}` ? work(asked, params) : answer(401, 'token is not valid')
  const api = await startFakeApi({
    'GET /api/v3/org/endpoints': guarded(() => answer(200, endpoints)),
    'POST /api/v3/org/endpoints': guarded(({ body }) => {
      if (endpoints.some(({ endpointURN }) => endpointURN === body.endpointURN)) return answer(409, 'URN is in use')
      endpoints.push({ id: String(endpoints.length + 1), ...body })
      return answer(201, endpoints.at(-1))
    }),
    'GET /api/v3/org/containers/:bucket/notification': guarded((_, { bucket = '' }) =>
      notifications.has(bucket)
        ? answer(200, { notification: notifications.get(bucket) })
        : answer(404, 'no such bucket'),
    ),
    'PUT /api/v3/org/containers/:bucket/notification': guarded(({ body }, { bucket = '' }) => {
      if (!notifications.has(bucket)) return answer(404, 'no such bucket')
      const topics = [...String(body.notification).matchAll(/<Topic>(.*?)<\/Topic>/g)].map(([, topic]) => topic)
      const known = (topic: string | undefined) => endpoints.some(({ endpointURN }) => endpointURN === topic)
      if (!topics.every(known)) return answer(422, 'no endpoint for this topic')
      notifications.set(bucket, body.notification)
      return answer(200, { notification: body.notification })
    }),
  })
  return Object.assign(api, { endpoints, notifications })
}

/** What stays at the nsqds when an entry is deleted: its channel, unless that is to go too. */
import { fail, messageOf } from '../../core/errors.ts'
import type { EntryContext } from '../../source.ts'
import { lookUp } from './fleet.ts'
import type { NsqSpec } from './spec.ts'

/** Deletes the channel, if that is wanted: when the entry is deleted, never when a replica stops. @throws ORIGIN_UNAVAILABLE */
export async function removeChannel(ctx: EntryContext<NsqSpec>): Promise<void> {
  const { topic, channel, deleteChannelOnFinish } = ctx.spec
  if (!deleteChannelOnFinish) return
  const query = new URLSearchParams({ topic, channel })
  for (const { host, httpPort, address } of await lookUp(ctx, ctx.signal)) {
    const say = (why: string) =>
      fail('ORIGIN_UNAVAILABLE', `failed to delete the channel ${channel} of ${topic} at nsqd ${address}: ${why}`)
    if (httpPort === 0) throw say('it has no HTTP API')
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${httpPort}/channel/delete?${query}`
    const answer = await fetch(url, { method: 'POST', signal: ctx.signal }).catch((error: unknown) => {
      throw say(messageOf((error as Error).cause ?? error))
    })
    const text = await answer.text()
    // 404: the topic or the channel is not there.
    if (!answer.ok && answer.status !== 404) throw say(`it answers ${answer.status} ${text.slice(0, 200)}`)
  }
}

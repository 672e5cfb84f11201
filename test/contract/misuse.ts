/**
 * What does not compile. Nothing of it is run: `tsc` refuses a line below that expects an error and has none, so that a contract which
 * becomes looser is noticed.
 */
import { z } from 'zod'
import { defineSource, type ListenDefinition } from '../../src/source.ts'

interface Spec {
  queue: string
}

const said = {
  ...{ type: 't', title: '', summary: '', because: '', ids: '', filterable: true, examples: [] },
  ...{ spec: z.object({ queue: z.string() }), event: z.unknown() },
}
const called = { ...said, strategy: 'active-active', guarantee: 'at-least-once', listens: () => [] } as const
const asks = { ...said, strategy: 'active-active', guarantee: 'at-least-once' } as const
const led = { ...said, strategy: 'active-passive', guarantee: 'at-least-once' } as const
const heard = { ...said, strategy: 'active-passive', guarantee: 'hot-standby' } as const
const serve = async () => {}
const listen = serve

/** Active-active on a port: no position, nothing to resume, no connection kept. */
export const onPort = defineSource<Spec>({
  ...said,
  strategy: 'active-active',
  guarantee: 'at-least-once',
  listens: () => [],
  async serve(ctx) {
    await ctx.http({ port: 1, endpoint: '/', handle: async () => ({ status: 200 }) })
    await ctx.emit({ data: '', id: (await ctx.hookSecret('')) ?? '' })
    // @ts-expect-error a position
    await ctx.emit({ data: '', position: 1 })
    // @ts-expect-error what a group has consumed
    await ctx.emit({ data: '', consumed: { group: '', topic: '', offsets: {} } })
    // @ts-expect-error nothing to resume
    ctx.resume()
    // @ts-expect-error nothing to move on
    await ctx.advance(1)
    // @ts-expect-error no snapshot
    await ctx.snapshot.load()
    // @ts-expect-error nobody stood by
    ctx.kept()
    // @ts-expect-error it reads as soon as its port accepts
    ctx.reading()
  },
})

/** Active-active without a port: it asks. */
export const poller = defineSource<Spec>({
  ...asks,
  async poll(ctx) {
    ctx.reading(1_000)
    await ctx.emit({ data: '' })
    // @ts-expect-error a position
    await ctx.emit({ data: '', position: 1 })
    // @ts-expect-error nothing to resume
    ctx.resume()
    // @ts-expect-error no port
    await ctx.http({ port: 1, endpoint: '/', handle: async () => ({ status: 200 }) })
    // @ts-expect-error no hooks
    await ctx.hookSecret('')
  },
})

/** Active-passive: positions of its own type, no port; what others left only where it follows. */
export const leader = defineSource<Spec, { next: number }>({
  ...led,
  async prepare(ctx) {
    ctx.keep({ close() {} })
    // @ts-expect-error a standby consumes nothing
    await ctx.emit({ data: '' })
    // @ts-expect-error nor does it know a position
    ctx.resume()
  },
  async serve(ctx) {
    await ctx.emit({ data: '', position: { next: (ctx.resume()?.next ?? 0) + 1 } })
    // @ts-expect-error a position of another type
    await ctx.advance('1')
    // @ts-expect-error no port
    await ctx.http({ port: 1, endpoint: '/', handle: async () => ({ status: 200 }) })
    // @ts-expect-error no hooks
    ctx.hooksSettledMs()
    // @ts-expect-error it does not follow
    ctx.predecessor()
    // @ts-expect-error it does not listen
    ctx.hear({ data: '' })
  },
})

export const follower = defineSource<Spec>({
  ...led,
  follows: 10,
  async look(ctx) {
    // @ts-expect-error it only looks
    await ctx.emit({ data: '' })
  },
  async serve(ctx) {
    ctx.predecessor()
  },
})

/** Hot standby: it hears, and the runtime does the rest. */
export const listener = defineSource<Spec>({
  ...heard,
  async listen(ctx) {
    ctx.subscribed()
    await ctx.hear({ data: '', id: '' })
    // @ts-expect-error that is the runtime's
    await ctx.emit({ data: '' })
    // @ts-expect-error it has no position
    ctx.resume()
    // @ts-expect-error nothing is kept
    ctx.keep({ close() {} })
  },
})

/** Clean-up at the origin: when, and how. */
export const leaves = defineSource<Spec>({ ...led, serve, removes: () => true, remove: serve })

/** Its fields decide: then it has both. */
export const either = defineSource<Spec>({ ...led, guaranteeOf: () => 'hot-standby', serve, listen })

export const refused = [
  // @ts-expect-error a dead serve beside listen
  { ...heard, listen, serve },
  // @ts-expect-error nobody prepares what listens on every replica
  { ...heard, listen, prepare: serve },
  // @ts-expect-error what it hears has no position
  { ...heard, listen, position: z.number() },
] satisfies ListenDefinition<Spec>[]

// @ts-expect-error hot standby that does not listen
defineSource<Spec>({ ...heard, serve })
// @ts-expect-error it listens, and nobody says when
defineSource<Spec>({ ...led, serve, listen })
// @ts-expect-error its fields decide, and one of the two is missing
defineSource<Spec>({ ...led, guaranteeOf: () => 'hot-standby', serve })
// @ts-expect-error remove without removes
defineSource<Spec>({ ...led, serve, remove: serve })
// @ts-expect-error removes without remove
defineSource<Spec>({ ...led, serve, removes: () => true })
// @ts-expect-error look without follows
defineSource<Spec>({ ...led, serve, look: serve })
// @ts-expect-error hooks without a port
defineSource<Spec>({ ...led, serve, hooks: async () => null })
// @ts-expect-error hooks of one that asks
defineSource<Spec>({ ...asks, poll: serve, hooks: async () => null })
// @ts-expect-error a port of one that leads
defineSource<Spec>({ ...led, serve, listens: () => [] })
// @ts-expect-error active-active that serves and has no port
defineSource<Spec>({ ...asks, serve })
// @ts-expect-error active-active that stands by
defineSource<Spec>({ ...called, serve, prepare: serve })
// @ts-expect-error active-active that compares with what was stored
defineSource<Spec>({ ...called, serve, recall: 10 })
// @ts-expect-error active-active with a position
defineSource<Spec>({ ...asks, poll: serve, position: z.number() })
// @ts-expect-error a port is tried again soon, whatever a type says
defineSource<Spec>({ ...called, serve, reconnect: () => ({}) })

/** Servers that start slowly: one that no run has now is given again, with queues of its own for each run. */
export interface Lease<S> {
  readonly server: S
  /** @param well whether another run may have it */
  release(well: boolean): Promise<void>
}

export interface Pool {
  /** @param name servers of one name are alike */
  lease<S>(name: string, start: () => Promise<S>, close: (server: S) => Promise<unknown>): Promise<Lease<S>>
  close(): Promise<void>
}

export function newPool(): Pool {
  let closed = false
  const starting = new Set<Promise<unknown>>()
  const idle = new Map<string, { server: unknown; close(): Promise<unknown> }[]>()
  return {
    async lease(name, start, close) {
      const rest = idle.get(name) ?? []
      idle.set(name, rest)
      const kept = rest.pop() as { server: Awaited<ReturnType<typeof start>>; close(): Promise<unknown> } | undefined
      const begun = kept === undefined ? start() : Promise.resolve(kept.server)
      starting.add(begun)
      const server = await begun.finally(() => starting.delete(begun))
      const one = { server, close: () => close(server) }
      if (closed) {
        await one.close()
        throw new Error('the pool is closed')
      }
      return {
        server,
        async release(well) {
          if (well && !closed) rest.push(one)
          else await one.close()
        },
      }
    },
    async close() {
      closed = true
      // What is starting closes itself once it is there.
      await Promise.allSettled(starting)
      const all = [...idle.values()].flat()
      idle.clear()
      await Promise.allSettled(all.map((one) => one.close()))
    },
  }
}

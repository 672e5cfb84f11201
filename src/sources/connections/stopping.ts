/** Being told to stop while it connects is no error of a source. @returns `run` that then just ends */
export function stoppable<Context extends { signal: AbortSignal }>(
  run: (ctx: Context) => Promise<void>,
): (ctx: Context) => Promise<void> {
  return async (ctx) => {
    try {
      await run(ctx)
    } catch (error) {
      if (!ctx.signal.aborted || error !== ctx.signal.reason) throw error
    }
  }
}

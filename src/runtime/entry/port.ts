/** The port of an entry that its origin calls, and the hooks that come after it: what a provider sends at once must find it open. */
import type { EntryContext, HttpRoute } from '../../source.ts'
import type { Attempt } from '../attempt.ts'
import { runRegistrar } from '../registrar/registrar.ts'
import { entryContext } from './contexts.ts'
import { hasPort } from './retrying.ts'
import type { Shared } from './shared.ts'

export interface Port {
  /** A listener serves from the moment its port accepts, not before: `ready` promises that. True of an entry without ports. */
  accepting(): boolean
  /** @throws PORT_IN_USE */
  open(route: HttpRoute, context: EntryContext, attempt: Attempt): Promise<void>
  /** The attempt is over. Resolves when the registrar has stopped. */
  closed(): Promise<void>
  /** See {@link HttpContext.hooksSettledMs}. */
  hooksSettledMs(): number | null
}

export function createPort(shared: Shared): Port {
  const { options, source, account, changed } = shared
  const { definition, entry, listeners, log, clock, redactor, replica, bus } = options
  const owner = `${source.namespace}/${source.name}/${entry.name}`
  let accepting = !hasPort(options)
  let settledMs: number | null = null
  /** Of this attempt, once a port of it accepts. */
  let registering: Promise<void> | null = null

  const register = async (ctx: EntryContext): Promise<void> => {
    const { hooks } = definition
    if (hooks === undefined) return
    await runRegistrar(
      {
        ...{ source, entry: entry.name, holder: replica, kv: bus.kv, clock, log, redact: redactor.redact },
        registration: () => hooks(ctx),
        condition: (text) => account.condition(text, { of: 'hooks' }),
        onSettled(wantedMs) {
          settledMs = wantedMs
        },
      },
      ctx.signal,
    )
  }

  return {
    accepting: () => accepting,
    async open(route, { secret, condition }, { watchdog, signal, over }) {
      await listeners.route(owner, route, { signal, secret, log, condition, redact: redactor.redact })
      accepting = true
      watchdog.reading()
      account.served()
      registering ??= register(entryContext(shared, AbortSignal.any([signal, over])))
      changed()
    },
    async closed() {
      accepting = !hasPort(options)
      const registered = registering
      registering = null
      await registered
    },
    hooksSettledMs: () => settledMs,
  }
}

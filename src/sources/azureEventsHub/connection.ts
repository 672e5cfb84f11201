/** An AMQP 1.0 connection to the host of an entry, as the core of Azure's own clients opens it: what is done on it, and how it ends. */
import type * as Amqp from '@azure/core-amqp'
import type * as Rhea from 'rhea-promise'
import { fail, isVedetteError, type VedetteError } from '../../core/errors.ts'
import { patiently } from '../../core/signals.ts'
import type { Closable, EntryContext } from '../../source.ts'
import { described } from './errors.ts'
import type { AzureEventsHubSpec } from './spec.ts'
import { transportTo } from './transport.ts'

export interface HostConnection extends Closable {
  /** The libraries, which only this type loads. */
  readonly amqp: typeof Amqp
  readonly rhea: typeof Rhea
  readonly connection: Rhea.Connection
  /** Aborts when the connection is closed or lost. */
  readonly ended: AbortSignal
  /** Rejects when the connection, or a link that is in use, is gone. */
  readonly lost: Promise<never>
  lose(error: unknown): void
  /** @returns what to call with a link or session that the other side has closed */
  losing(what: string): (link: { error?: unknown } | undefined) => void
  /** One step of the protocol: it has {@link STEP_MS}, and ends with the connection. @throws ORIGIN_UNAVAILABLE */
  step<T>(work: (options: { abortSignal: AbortSignal; timeoutInMs: number }) => Promise<T>): Promise<T>
  /** An error of the libraries as one of ours. */
  say(error: unknown): VedetteError
}

export const STEP_MS = 10_000
const CLOSE_MS = 1_000
/** The libraries' own patience, which must not be less. */
const timeoutInMs = 2 * STEP_MS

/** Opens nothing yet: the first step does. */
export async function connectionTo(
  ctx: Pick<EntryContext<AzureEventsHubSpec>, 'spec' | 'clock'>,
): Promise<HostConnection> {
  const { spec, clock } = ctx
  const [amqp, rhea] = await Promise.all([import('@azure/core-amqp'), import('rhea-promise')])
  const transport = transportTo(spec, rhea, timeoutInMs)
  const { connection } = transport
  const ending = new AbortController()
  const loss = Promise.withResolvers<never>()
  loss.promise.catch(() => {})
  const end = () => ending.abort(fail('SHUTTING_DOWN', 'the connection is closed'))

  const say = (error: unknown) => described(isVedetteError(error) ? error : amqp.translate(error), spec)
  const cutOff = (): VedetteError => {
    const why = transport.agreeing ? `TLS: ${spec.fqdn}: ended by the server; it may have none` : null
    return fail('ORIGIN_UNAVAILABLE', why ?? `${spec.fqdn}: the connection was closed`)
  }
  const lose = (error: unknown): void => {
    const silent = error === undefined || error === null || (error as { code?: unknown }).code === 'ECONNRESET'
    if (!ending.signal.aborted) loss.reject(silent ? cutOff() : say(error))
    end()
  }
  const { ConnectionEvents } = rhea
  connection.on(ConnectionEvents.disconnected, ({ error }) => lose(error ?? connection.error))
  connection.on(ConnectionEvents.connectionError, () => lose(connection.error))
  // What the library throws at itself, such as for frames that are none.
  const broken = (context: unknown) => lose((context as { _context?: unknown })._context)
  connection.on(ConnectionEvents.protocolError, broken)
  connection.on(ConnectionEvents.error, broken)

  return {
    amqp,
    rhea,
    connection,
    ended: ending.signal,
    lost: loss.promise,
    lose,
    losing: (what) => (link) =>
      lose(link?.error ?? fail('ORIGIN_UNAVAILABLE', `${spec.fqdn}: the server closed ${what}`)),
    async step(work) {
      const late = new AbortController()
      const cancel = clock.after(STEP_MS, () => late.abort())
      try {
        const abortSignal = AbortSignal.any([ending.signal, late.signal])
        return await Promise.race([work({ abortSignal, timeoutInMs }), loss.promise])
      } catch (error) {
        if (late.signal.aborted) throw fail('ORIGIN_UNAVAILABLE', `TCP: ${spec.fqdn}: no answer`)
        throw say(error)
      } finally {
        cancel()
      }
    },
    say,
    async close() {
      end()
      const closing = connection.close().catch(() => {})
      await patiently(closing, { signal: ending.signal, clock, patienceMs: CLOSE_MS })
      transport.cut()
    },
  }
}

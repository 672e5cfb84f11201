/** The two suites that every type runs, and how a type's own module here joins them: `test/origins/<type>.ts`. */
import { existsSync } from 'node:fs'
import type { TestContext } from 'node:test'
import type { Harness, serveInHarness } from '../harness.ts'
import type { DeliveryAdapter } from './broker.ts'

/** An origin to serve from, for the source contract (test/contract/source.ts). */
export interface Origin {
  spec: unknown
  /** Handed to the harness (clock, secrets, HTTP). */
  options?: (harness: () => Harness<any>) => NonNullable<Parameters<typeof serveInHarness>[2]>
  /** Resolves when the source is ready to see what comes. */
  ready(harness: Harness<any>): Promise<void>
  /** The origin has one more event. May reject or hang when nobody takes it. */
  provoke(): Promise<unknown>
  /** What is seen is known by when it was seen, so what was never stored comes again by another id. */
  idsOfSeeing?: boolean
  /**
   * For an origin of which several may take: another consumer takes one more message, and is gone without having finished it once the
   * function that this resolves with is called.
   */
  takenByAnother?(): Promise<() => Promise<void>>
}

export interface ContractAdapter {
  /** What distinguishes several adapters of one type. */
  variant?: string
  /** For `test`'s options. */
  skip: string | false
  /** Its origins have {@link Origin.takenByAnother}. */
  contested?: true
  /** @param name of this test only, so that queues do not meet */
  setUp(t: TestContext, name: string): Promise<Origin>
}

/** Gives a server that is started when the first asks for it, and closed after the last test. */
export type Share = <S extends { close(): Promise<unknown> }>(start: () => Promise<S>) => () => Promise<S>

export interface Suites {
  contract?: (share: Share) => ContractAdapter[]
  delivery?: (share: Share) => DeliveryAdapter[]
}

/** What the module of a type offers; nothing when there is none. */
export async function suitesOf(type: string): Promise<Suites> {
  const module = new URL(`./${type}.ts`, import.meta.url)
  return existsSync(module) ? ((await import(module.href)) as Suites) : {}
}

/** One server for all who ask. @param after registers what closes it */
export const sharing =
  (after: (close: () => Promise<unknown>) => void): Share =>
  (start) => {
    let server: ReturnType<typeof start> | null = null
    after(async () => (await server)?.close())
    return () => {
      server ??= start()
      return server
    }
  }

/** Of most types: it says that nothing is wrong when it consumes. */
export const saysFine = (harness: Harness<any>): Promise<void> =>
  harness.until(({ conditions }) => conditions.includes(null), 30_000)

/** Of types that compare listings: the first look is durable before they report anything. */
export const looked = (harness: Harness<any>): Promise<void> =>
  harness.until(
    ({ snapshot, advanced, context }) => snapshot !== null || advanced.length > 0 || context.resume() !== null,
    30_000,
  )

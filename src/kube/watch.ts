/** One watch: the changes after a resourceVersion, until the server ends the stream, or it falls silent, or breaks. */
import type { Clock } from '../core/clock.ts'
import { fail, isVedetteError } from '../core/errors.ts'
import type { Selection } from './client.ts'
import { noAnswer, refusal, type Status } from './failure.ts'
import { lines } from './lines.ts'
import type { KubeObject, Resource } from './resources.ts'
import type { Transport } from './transport.ts'

export interface WatchOptions extends Selection {
  /** Everything after it is told. */
  resourceVersion: string
  signal?: AbortSignal | undefined
  /** Called when the server has begun to answer; what there is to tell may come much later. */
  onOpen?: (() => void) | undefined
  /**
   * How long the stream may be silent before it is ended, milliseconds: the connection may be none any more. Mostly a bookmark comes each
   * minute, but not where nothing changes and etcd does not tell of its progress.
   */
  silenceMs?: number | undefined
}

/** `BOOKMARK`: nothing changed, but the object's resourceVersion is newer; it has no other content. */
export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  object: T
}

const SILENCE_MS = 90_000
/** After which the server ends the stream; spread, so that not all watchers return at once. */
const LASTS_S = 300
/** etcd refuses objects of more than 1.5 MiB; with managedFields and escapes that stays far below this. */
const LONGEST_LINE = 16 * 1024 * 1024

/**
 * Returns when the stream has ended, as it regularly does: watch again from the last resourceVersion.
 * @throws KUBERNETES_GONE the resourceVersion is too old: list again; KUBERNETES_UNAVAILABLE broken: watch again;
 * KUBERNETES_FORBIDDEN; the signal's reason
 */
export async function* watch<T extends KubeObject>(
  transport: Transport,
  clock: Clock,
  resource: Resource,
  { resourceVersion, namespace, labelSelector, fieldSelector, signal, onOpen, silenceMs = SILENCE_MS }: WatchOptions,
): AsyncGenerator<WatchEvent<T>> {
  const call = { verb: 'watch', resource, ...(resource.namespaced ? { namespace } : {}) } as const
  const end = new AbortController()
  const stop = () => end.abort(signal?.reason)
  if (signal?.aborted) throw signal.reason
  signal?.addEventListener('abort', stop, { once: true })
  let silent = false
  let cancel = () => {}
  const listen = () => {
    cancel()
    cancel = clock.after(silenceMs, () => {
      silent = true
      end.abort()
    })
  }
  try {
    const body = await transport.open(call, {
      signal: end.signal,
      query: {
        watch: 1,
        allowWatchBookmarks: true,
        resourceVersion,
        labelSelector,
        fieldSelector,
        timeoutSeconds: Math.round(LASTS_S * (1 + Math.random())),
      },
    })
    onOpen?.()
    listen()
    for await (const line of lines(body, LONGEST_LINE)) {
      cancel()
      const event = eventOf<T>(line)
      if (event.type === 'ERROR') throw refusal(call, event.object.code ?? 500, event.object)
      yield event
      listen()
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    if (silent) return
    if (isVedetteError(error)) throw error
    throw noAnswer(call, 'the API server', error)
  } finally {
    cancel()
    signal?.removeEventListener('abort', stop)
    // Left early (`break`): nobody reads on.
    end.abort()
  }
}

function eventOf<T extends KubeObject>(line: string): WatchEvent<T> | { type: 'ERROR'; object: Status } {
  try {
    return JSON.parse(line)
  } catch (error) {
    // Its text is not told: it may be part of a Secret.
    throw fail(
      'KUBERNETES_UNAVAILABLE',
      'the watch sent a line that is not JSON',
      { bytes: line.length },
      { cause: error },
    )
  }
}

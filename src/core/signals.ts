/** Small things about `AbortSignal` that several rooms need. */
import type { Clock } from './clock.ts'
import { fail } from './errors.ts'

/** Resolves when the signal aborts (at once if it has). Never rejects. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/**
 * Waits for `work`, but no longer than `patienceMs` after `signal` aborted: what ignores the signal cannot hold up others.
 * @returns true when `work` ended in time. @throws what `work` throws
 */
export async function patiently(
  work: Promise<unknown>,
  { signal, clock, patienceMs }: { signal: AbortSignal; clock: Clock; patienceMs: number },
): Promise<boolean> {
  const finished = new AbortController()
  const outOfPatience = whenAborted(AbortSignal.any([signal, finished.signal]))
    .then(() => clock.sleep(patienceMs, finished.signal))
    .then(
      () => false,
      () => true,
    )
  try {
    return await Promise.race([work.then(() => true), outOfPatience])
  } finally {
    finished.abort()
  }
}

/** The outcome of `work`; when it has none within `limitMs` it is given up. @throws OUTCOME_UNKNOWN then; what `work` throws */
export function within<T>(work: Promise<T>, limitMs: number, clock: Pick<Clock, 'after'>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () =>
      reject(fail('OUTCOME_UNKNOWN', `no answer within ${Math.round(limitMs)} ms`)),
    )
    work.then(resolve, reject).finally(cancel)
  })
}

/** What the Job of a deleted EventSource does: undoes what its entries have at providers, with the Secrets and the bus of its Pods. */
import { removeRemote } from '../runtime/registrar/remove.ts'
import type { PodEnvironment } from './environment.ts'
import { hideEnvironment, openPodBus, type PodOptions, secretsIn } from './pod.ts'

export type RemovalOptions = Pick<PodOptions, 'root' | 'clock' | 'log' | 'redactor'> & { environment: PodEnvironment }

/**
 * Tries until `signal` aborts. The replicas must have stopped.
 * @returns what could not be undone, one text per entry; empty: all is gone
 * @throws SPEC_INVALID for a bus that this version does not have
 */
export async function removeFromProviders(options: RemovalOptions, signal: AbortSignal): Promise<string[]> {
  const { environment, root, clock, log, redactor } = options
  hideEnvironment(environment, redactor)
  const { bus } = await openPodBus(environment, options)
  try {
    const { source: object, podName: holder } = environment
    return await removeRemote({ object, secrets: secretsIn(root, redactor), kv: bus.kv, holder, clock, log }, signal)
  } finally {
    await bus.close()
  }
}

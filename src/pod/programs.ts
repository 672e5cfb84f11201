/**
 * A Pod starts no programs. It has no need to, and libraries would: a profile of AWS, credentials of Google, a kubeconfig and Azure's chain may all name a
 * program to be run, in files that the author of an EventSource mounts.
 */
import childProcess, { ChildProcess } from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
import { fail } from '../core/errors.ts'

/** From here on, in this process; there is no way back. Whoever starts one gets SPEC_INVALID. */
export function startNoPrograms(): void {
  const refuse = (): never => {
    throw fail('SPEC_INVALID', 'a Pod starts no programs: give it credentials as Secrets or by its ServiceAccount')
  }
  // All that is asynchronous ends there.
  Object.defineProperty(ChildProcess.prototype, 'spawn', { value: refuse })
  for (const name of ['spawnSync', 'execSync', 'execFileSync'] as const) childProcess[name] = refuse
  syncBuiltinESMExports()
}

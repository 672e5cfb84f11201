/** What both processes of a Pod begin with: an environment and files that decide nothing about which code runs. */
import type { Logger } from '../core/log.ts'

/** To be called before anything else is loaded. @returns says in the log, by name, what is refused or cannot be read */
export async function beginPod(): Promise<(log: Logger) => Promise<void>> {
  const [{ closeEnvironment }, { startNoPrograms }] = await Promise.all([
    import('../pod/variables.ts'),
    import('../pod/programs.ts'),
  ])
  const { refused, authorities } = closeEnvironment(process.env)
  startNoPrograms()
  return async (log) => {
    if (refused.length > 0)
      log.warn(`of envFrom these variables are not given to the process, which they would steer: ${refused.join(', ')}`)
    if (authorities.length === 0) return
    const { addAuthorities } = await import('../pod/authorities.ts')
    for (const trouble of await addAuthorities(authorities)) log.warn(`authorities of the template: ${trouble}`)
  }
}

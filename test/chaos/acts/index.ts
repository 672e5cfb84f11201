/** Every kind of fault, and what is done for it. */
import type { Act } from './act.ts'
import { configurationActs } from './configuration.ts'
import { hostActs } from './hosts.ts'
import { machineActs } from './machine.ts'
import { networkActs } from './network.ts'
import { originActs } from './origins.ts'
import { runActs } from './run.ts'
import { serverActs } from './servers.ts'
import { streamActs } from './stream.ts'

export const ACTS: Readonly<Record<string, Act>> = {
  ...hostActs,
  ...serverActs,
  ...runActs,
  ...networkActs,
  ...originActs,
  ...machineActs,
  ...configurationActs,
  ...streamActs,
}

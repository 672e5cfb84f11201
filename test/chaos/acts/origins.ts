/** What happens to origins. */
import type { Fault } from '../plan.ts'
import type { World } from '../world.ts'
import { type Act, lasting, startedAgain, whileAway, whileDeaf } from './act.ts'

/** Whoever heard it hears nothing now, and later has to subscribe again. */
const away = (work: (world: World, fault: Fault) => Promise<void>): Act => {
  return (world, fault) =>
    whileAway(world.originAway[fault.index!]!, () => whileDeaf(world, 'all', () => work(world, fault)))
}
const brokerOf = ({ origins }: World, { index }: Fault) => origins[index!]!.broker!

const restarted = (world: World, fault: Fault) =>
  startedAgain(`the origin ${world.plan.origins[fault.index!]}`, () => brokerOf(world, fault).restart(world.rig))

export const originActs: Record<string, Act> = {
  'restart the origin': away((world, fault) => restarted(world, fault)),
  'kill the origin': away((world, fault) => {
    const broker = brokerOf(world, fault)
    return lasting(
      fault,
      () => broker.server!().kill(),
      () => restarted(world, fault),
    )
  }),
  'freeze the origin': away((world, fault) => {
    const server = brokerOf(world, fault).server!()
    return lasting(fault, server.freeze, server.thaw)
  }),
}

/** Which name node is asked first, by what each says of itself. Pure. */

export interface Rank {
  /** Base URLs, in the order in which they are asked. */
  order: string[]
  /** Who is not asked, and why. */
  left: string[]
}

/**
 * The bean `NameNodeStatus` that a name node shows at `/jmx`, as far as it counts here: `active`, `standby` or `observer`, and since when, in
 * milliseconds since the epoch; 0: since it was started, as with a router of federated name nodes.
 */
interface NameNodeStatus {
  State?: unknown
  LastHATransitionTime?: unknown
}

/**
 * A name node that was cut off or stopped while another was made active goes on to answer as if it were, from the tree as it was then, until it
 * wants to write. So of several the one that became active last is meant. An observer is behind by design.
 * @param said what they said, whoever was asked first before comes first; undefined for who says nothing of the kind, such as HttpFS
 */
export function ranked(said: readonly (readonly [node: string, state: NameNodeStatus | undefined])[]): Rank {
  const [active, unsure, standby]: string[][] = [[], [], []] as const
  const left: string[] = []
  const since = (state: NameNodeStatus) => Number(state.LastHATransitionTime) || 0
  const host = (node: string) => new URL(node).host
  const actives = said.flatMap(([node, state]) => (state?.State === 'active' ? [[node, since(state)] as const] : []))
  const [newest, newestMs] = actives.reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0] as const)
  for (const [node, state] of said) {
    if (state?.State === 'observer') left.push(`${host(node)} is an observer, whose listings may be old`)
    else if (state?.State === 'standby') standby!.push(node)
    else if (state?.State !== 'active') unsure!.push(node)
    else if (since(state) > 0 && since(state) < newestMs)
      left.push(`${host(node)} still answers as active, but ${host(newest)} became active after it`)
    else active!.push(node)
  }
  return { order: [...active!, ...unsure!, ...standby!], left }
}

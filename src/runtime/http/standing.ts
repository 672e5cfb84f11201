/** Who has proved to know a secret of an entry lately: they get what is kept free when a listener is short of room. */

export interface Standing {
  /** A request of this peer was verified. */
  proved(entry: string, peer: string): void
  /** A request of this peer was not what it should be. Costs nothing where nothing was ever verified. */
  failed(entry: string, peer: string): void
  /** The last requests of this peer were verified; or, of one that is not known, the last ones of the entry. */
  isProven(entry: string, peer: string): boolean
}

/** So many good requests outweigh as many bad ones. */
const MOST = 16
/** Peers that are remembered of all entries together, the last ones. */
const MAX_PEERS = 16_384

export function createStanding(): Standing {
  const entries = new Map<string, number>()
  const peers = new Map<string, number>()
  const key = (entry: string, peer: string) => `${entry} ${peer}`

  const change = (entry: string, peer: string, by: number) => {
    entries.set(entry, Math.min(MOST, Math.max(0, (entries.get(entry) ?? 0) + by)))
    const name = key(entry, peer)
    const before = peers.get(name) ?? 0
    // Again at the end: the first in the map is the one that was not heard of for longest.
    peers.delete(name)
    peers.set(name, Math.min(MOST, Math.max(-MOST, before + by)))
    if (peers.size > MAX_PEERS) peers.delete(peers.keys().next().value!)
  }

  return {
    proved: (entry, peer) => change(entry, peer, 1),
    failed(entry, peer) {
      if (entries.has(entry)) change(entry, peer, -1)
    },
    isProven(entry, peer) {
      const ofEntry = entries.get(entry)
      if (ofEntry === undefined) return false
      return (peers.get(key(entry, peer)) ?? ofEntry) > 0
    },
  }
}

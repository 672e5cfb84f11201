/**
 * Who holds what of this process: requests and their bytes, by entry and peer. What still comes may be dropped for others at any time and
 * counts as no request; what is whole is let to work within its share, and then holds its room until it is answered.
 */
import { mayHave, OF_ONE, overShare } from './fair.ts'

export type Dropped = 'no room' | 'too slow' | 'too many chunks'

/** One request, from its headers to its answer. */
export interface Claim {
  readonly entry: string
  readonly peer: string
  /** Of its headers, and what has come of its body. */
  readonly bytes: number
  /** Of its body. */
  readonly received: number
  /** When its headers were there, `clock.monotonic`. */
  readonly since: number
  /** Why it is not to go on. */
  readonly dropped: Dropped | null
  /** Called at once when it is dropped. */
  onDrop: (why: Dropped) => void
  /** More of it has come. Others, or it, may be dropped for that. */
  grow(bytes: number): void
  /** It is whole: whether it may be worked at. */
  admit(): boolean
  readonly atWork: boolean
  /** It is not to go on. */
  drop(why: Dropped): void
  /** Answered, or gone. Called again: nothing more. */
  end(): void
}

export interface Ledger {
  come(who: { entry: string; peer: string; proven: boolean; now: number }, bytes: number): Claim
  /** What still comes, the oldest first. */
  coming(): Iterable<Claim>
  /** Bytes that are held. */
  bytes(): number
}

interface Use {
  requests: number
  bytes: number
}

/** The part of everything that only those get who were verified before. */
const KEPT_FREE = 0.2
/** Dropping goes on until so much is held, so that it is not done for each chunk. */
const ENOUGH = 0.9
const ignore = () => {}
/** What a request costs beside its bytes. */
const OVERHEAD = 2048

export function createLedger({
  maxRequests,
  maxBytes,
  onShort = () => {},
}: {
  /** What one peer at one entry may have while nobody else has any; together they get more, so that others find room. */
  maxRequests: number
  maxBytes: number
  /** Somebody was turned away or dropped. */
  onShort?: (entry: string) => void
}): Ledger {
  const capacity = maxRequests / (OF_ONE * (1 - KEPT_FREE))
  const coming = new Set<Owned>()
  const work: Use = { requests: 0, bytes: 0 }
  /** Entries are as many as there are routes; of peers only those that have something. */
  const entries = new Map<string, Use & { peers: Map<string, Use> }>()
  let held = 0

  const ofEntry = (name: string) => {
    const known = entries.get(name)
    if (known !== undefined) return known
    const use = { requests: 0, bytes: 0, peers: new Map<string, Use>() }
    entries.set(name, use)
    return use
  }
  const move = (use: Use, requests: number, bytes: number) => {
    use.requests += requests
    use.bytes += bytes
  }

  const makeRoom = () => {
    const excess = held - maxBytes * ENOUGH
    const from = (claims: Owned[], excess: number) =>
      overShare(claims, excess, [({ entry }) => entry, ({ peer }) => peer], ({ bytes }) => bytes)
    const gone = from(
      [...coming].filter(({ proven }) => !proven),
      excess,
    )
    let freed = 0
    for (const { bytes } of gone) freed += bytes
    // Those who were verified before come last, and not for what is merely comfortable.
    if (held - freed > maxBytes) {
      gone.push(
        ...from(
          [...coming].filter(({ proven }) => proven),
          held - freed - maxBytes,
        ),
      )
    }
    for (const claim of gone) claim.drop('no room')
  }

  class Owned implements Claim {
    readonly entry: string
    readonly peer: string
    readonly proven: boolean
    readonly since: number
    bytes = 0
    received = 0
    dropped: Dropped | null = null
    atWork = false
    onDrop: (why: Dropped) => void = ignore
    #ended = false

    constructor(entry: string, peer: string, proven: boolean, since: number) {
      this.entry = entry
      this.peer = peer
      this.proven = proven
      this.since = since
    }

    grow(bytes: number): void {
      this.received += bytes
      this.charge(bytes)
    }

    charge(bytes: number): void {
      if (this.#ended || this.dropped !== null) return
      this.bytes += bytes
      held += bytes
      // Alone, one always gets what it needs.
      if (held > maxBytes && held > this.bytes) makeRoom()
    }

    admit(): boolean {
      if (this.dropped !== null) return false
      const { bytes } = this
      const entry = ofEntry(this.entry)
      const peer = entry.peers.get(this.peer) ?? { requests: 0, bytes: 0 }
      const part = this.proven ? 1 : 1 - KEPT_FREE
      const requests = { capacity: capacity * part, used: work.requests, entry: entry.requests, peer: peer.requests }
      const inBytes = { capacity: maxBytes * part, used: work.bytes, entry: entry.bytes, peer: peer.bytes }
      coming.delete(this)
      if (!mayHave(requests, 1) || !mayHave(inBytes, bytes)) {
        onShort(this.entry)
        return false
      }
      this.atWork = true
      move(work, 1, bytes)
      move(entry, 1, bytes)
      move(peer, 1, bytes)
      if (peer.requests === 1) entry.peers.set(this.peer, peer)
      return true
    }

    drop(why: Dropped): void {
      if (this.#ended || this.atWork || this.dropped !== null) return
      this.dropped = why
      coming.delete(this)
      held -= this.bytes
      this.bytes = 0
      if (why === 'no room') onShort(this.entry)
      this.onDrop(why)
    }

    end(): void {
      if (this.#ended) return
      this.#ended = true
      coming.delete(this)
      held -= this.bytes
      if (!this.atWork) return
      this.atWork = false
      const entry = ofEntry(this.entry)
      const peer = entry.peers.get(this.peer)!
      move(work, -1, -this.bytes)
      move(entry, -1, -this.bytes)
      move(peer, -1, -this.bytes)
      if (peer.requests === 0) entry.peers.delete(this.peer)
    }
  }

  return {
    come({ entry, peer, proven, now }, bytes) {
      const claim = new Owned(entry, peer, proven, now)
      coming.add(claim)
      claim.charge(bytes + OVERHEAD)
      return claim
    },
    coming: () => coming,
    bytes: () => held,
  }
}

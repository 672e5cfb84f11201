/**
 * All open connections of one process, whatever their port. When there are too many, those go that nobody works for: first of whoever
 * has the most, and of those the ones that did nothing for longest. So no sender can keep others out by sitting on connections.
 */
import type { Socket } from 'node:net'
import { overShare } from './fair.ts'
import type { Claim, Ledger } from './ledger.ts'
import type { End } from './peer.ts'
import type { Standing } from './standing.ts'

/** One connection, from its acceptance on. */
export interface Member extends End {
  socket: Socket
  /** The entry that its last request was for; before: its port. */
  entry: string
  /** Who sent its last request; before: its address. */
  peer: string
  /** Its TLS handshake is not done. */
  shaking: boolean
  /** When it was accepted or had its last request, `clock.monotonic`. */
  usedAt: number
  /** Requests whose answers are owed. */
  owed: number
  /** Requests that are worked at: while there are any it is left alone. */
  atWork: number
  /** Bytes read up to the end of its last request, as far as {@link Crowd.look} saw it; -1: it had one since. */
  read: number
  /** Bytes that the peer took, as seen by the last look, and when there was last nothing to take or some was. */
  taken: number
  takenAt: number
}

export interface Crowd {
  /** Makes room first. False when there is none: all are worked for. */
  join(member: Member): boolean
  /** Its handshake is done: HTTP can begin. */
  shaken(member: Member): void
  leave(member: Member): void
  /** Drops what is too slow: bodies, answers that nobody takes, heads that fill memory. To be called now and then. */
  look(now: number): void
  size(): number
}

export interface CrowdLimits {
  maxConnections: number
  maxHandshakes: number
  maxBufferedBytes: number
  minBodyBytesPerSecond: number
  bodyGraceMs: number
  answerTimeoutMs: number
}

/** Closing goes on until so many are left, so that it is not done for each new one. */
const ENOUGH = 0.95
/** Of the memory for bodies, what heads that are not whole may take. */
const HEADS = 0.25

/** @param onClosed connections were closed to make room */
export function createCrowd(
  limits: CrowdLimits,
  {
    ledger,
    standing,
    onClosed = () => {},
  }: { ledger: Ledger; standing: Pick<Standing, 'isProven'>; onClosed?: (number: number) => void },
): Crowd {
  const members = new Set<Member>()
  const shaking = new Set<Member>()

  /** @param weight how much of what is short each holds */
  const close = (candidates: Member[], excess: number, weight: (member: Member) => number) => {
    const proven = ({ entry, peer }: Member) => standing.isProven(entry, peer)
    const levels = [({ entry }: Member) => entry, ({ peer }: Member) => peer]
    const oldestFirst = candidates.filter(({ atWork }) => atWork === 0).sort((a, b) => a.usedAt - b.usedAt)
    const gone = overShare(
      oldestFirst.filter((member) => !proven(member)),
      excess,
      levels,
      weight,
    )
    const left = excess - gone.reduce((sum, member) => sum + weight(member), 0)
    if (left > 0) gone.push(...overShare(oldestFirst.filter(proven), left, levels, weight))
    for (const member of gone) {
      members.delete(member)
      shaking.delete(member)
      member.socket.destroy()
    }
    if (gone.length > 0) onClosed(gone.length)
  }

  const dropSlow = (now: number) => {
    for (const claim of ledger.coming()) {
      const forMs = now - claim.since - limits.bodyGraceMs
      if (forMs <= 0) break
      if (isTooSlow(claim, forMs, limits)) claim.drop('too slow')
    }
  }

  /** An answer that nobody takes stays in memory, and its request with it. */
  const cutStalled = (now: number) => {
    for (const member of members) {
      const { socket } = member
      const waiting = socket.writableLength
      const taken = waiting === 0 ? -1 : socket.bytesWritten - waiting
      if (taken < 0 || taken !== member.taken) {
        member.taken = taken
        member.takenAt = now
      } else if (now - member.takenAt >= limits.answerTimeoutMs) socket.destroy()
    }
  }

  /** Bytes of heads that are not whole lie in the parsers, where nothing else counts them. */
  const boundHeads = () => {
    const unread = new Map<Member, number>()
    let sum = 0
    for (const member of members) {
      if (member.owed > 0) continue
      const { bytesRead } = member.socket
      if (member.read < 0) member.read = bytesRead
      const bytes = bytesRead - member.read
      if (bytes <= 0) continue
      unread.set(member, bytes)
      sum += bytes
    }
    const most = limits.maxBufferedBytes * HEADS
    if (sum > most) close([...unread.keys()], sum - most * ENOUGH, (member) => unread.get(member)!)
  }

  return {
    join(member) {
      if (members.size >= limits.maxConnections) {
        close([...members], members.size + 1 - Math.floor(limits.maxConnections * ENOUGH), () => 1)
        if (members.size >= limits.maxConnections) return false
      }
      members.add(member)
      if (member.shaking) {
        shaking.add(member)
        if (shaking.size > limits.maxHandshakes)
          close([...shaking], shaking.size - Math.floor(limits.maxHandshakes * ENOUGH), () => 1)
      }
      return true
    },
    shaken(member) {
      member.shaking = false
      shaking.delete(member)
    },
    leave(member) {
      members.delete(member)
      shaking.delete(member)
    },
    look(now) {
      dropSlow(now)
      cutStalled(now)
      boundHeads()
    },
    size: () => members.size,
  }
}

function isTooSlow({ received }: Claim, forMs: number, { minBodyBytesPerSecond }: CrowdLimits): boolean {
  return received < (forMs / 1000) * minBodyBytesPerSecond
}

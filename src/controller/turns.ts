/**
 * Roll-outs take turns. Replaced all at once, as after an upgrade or when Argo Events is taken over, the new Pods of many Deployments start on
 * the same nodes, and none of them serves before nearly all do.
 */
import type { Clock } from '../core/clock.ts'
import type { KubeObject } from '../kube/resources.ts'
import { HASH_ANNOTATION } from './objects.ts'
import { isComplete, wantedOf } from './rollout.ts'

/** Of one object. */
export interface Turn {
  /** @returns whether its Pods may be replaced now; if not, its turn comes: see {@link TurnsOptions.next} */
  take(): boolean
  /** Gives the turn back when the Deployment is as it was last applied. @param deployment as it is known now, which may be late */
  look(deployment: KubeObject | undefined): void
  /** How many wait before it. */
  readonly before: number
}

export interface Turns {
  /** For one look at the object of this key, to be ended: who did not ask waits no longer. */
  of(key: string): Turn & { end(): void }
}

export interface TurnsOptions {
  clock: Clock
  /** How many at once. */
  atOnce: () => number
  /** It is the turn of the object of this key. */
  next: (key: string) => void
}

/** Who is not ready after so long keeps the others no longer, milliseconds. */
const LONGEST_MS = 120_000

export function createTurns({ clock, atOnce, next }: TurnsOptions): Turns {
  const held = new Map<string, { atMs: number; generation: number }>()
  /** In the order of their coming. */
  const waiting = new Set<string>()

  const free = () => {
    for (const [key, { atMs }] of held) if (clock.monotonic() - atMs > LONGEST_MS) held.delete(key)
    return Math.max(0, atOnce() - held.size)
  }
  const before = (key: string) => [...waiting].indexOf(key)
  const callNext = () => {
    for (const key of [...waiting].slice(0, free())) next(key)
  }
  return {
    of(key) {
      let asked = false
      return {
        take() {
          asked = true
          if (held.has(key)) return true
          waiting.add(key)
          if (before(key) >= free()) return false
          waiting.delete(key)
          held.set(key, { atMs: clock.monotonic(), generation: 0 })
          return true
        },
        look(deployment) {
          const turn = held.get(key)
          if (turn === undefined || deployment === undefined) return
          const { generation = 0 } = deployment.metadata
          turn.generation = Math.max(turn.generation, generation)
          if (generation < turn.generation || !isComplete(deployment)) return
          held.delete(key)
          callNext()
        },
        get before() {
          return Math.max(0, before(key))
        },
        end() {
          if (!asked && waiting.delete(key)) callNext()
        },
      }
    },
  }
}

/** Whether Pods will be replaced that are there: not where there is no Deployment, nor where it is only scaled. */
export function replacesPods(live: KubeObject | undefined, wanted: KubeObject): boolean {
  if (live === undefined || wantedOf(live) !== wantedOf(wanted)) return false
  return live.metadata.annotations?.[HASH_ANNOTATION] !== wanted.metadata.annotations?.[HASH_ANNOTATION]
}

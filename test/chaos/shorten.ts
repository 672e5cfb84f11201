/** The shortest schedule that still fails: parts are left out as long as it does. Bounded, since each try takes its time. Pure but for the tries. */
export interface Shortened<T> {
  faults: T[]
  tries: number
}

/**
 * Delta debugging: halves first, then quarters, down to single faults.
 * @param fails whether the rest still fails @param most tries
 */
export async function shorten<T>(
  faults: readonly T[],
  fails: (rest: T[]) => Promise<boolean>,
  most: number,
): Promise<Shortened<T>> {
  let now = [...faults]
  let tries = 0
  for (let parts = 2; now.length > 1 && tries < most; ) {
    const size = Math.ceil(now.length / parts)
    const without = Array.from({ length: Math.ceil(now.length / size) }, (_, i) => [
      ...now.slice(0, i * size),
      ...now.slice((i + 1) * size),
    ])
    let shorter: T[] | null = null
    for (const rest of without) {
      if (tries >= most) break
      tries++
      if (await fails(rest)) {
        shorter = rest
        break
      }
    }
    if (shorter !== null) {
      now = shorter
      parts = Math.max(2, parts - 1)
    } else if (size === 1) break
    else parts = Math.min(now.length, parts * 2)
  }
  return { faults: now, tries }
}

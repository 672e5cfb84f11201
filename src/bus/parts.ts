/**
 * A batch in parts, in order, each within the limits; a member that is larger than they allow stands alone.
 * @param size of a member, in bytes
 */
export function* partsOf<Member>(
  batch: readonly Member[],
  size: (member: Member) => number,
  { bytes: mostBytes, members: most = Number.POSITIVE_INFINITY }: { bytes: number; members?: number },
): Generator<Member[]> {
  let [start, bytes] = [0, 0]
  for (const [i, member] of batch.entries()) {
    const more = size(member)
    if (i > start && (bytes + more > mostBytes || i - start >= most)) {
      yield batch.slice(start, i)
      ;[start, bytes] = [i, 0]
    }
    bytes += more
  }
  if (start < batch.length) yield batch.slice(start)
}

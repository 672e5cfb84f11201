/** Which partition an event goes to: upstream's four names (sarama's partitioners). */
export type Partitioner = (key: string, partitions: number) => number

/** @param name `hash`, `roundrobin`, `manual`; all else is random */
export function partitionerOf(name: string | undefined): Partitioner {
  if (name === 'hash') return (key, partitions) => hashOf(key) % partitions
  if (name === 'manual') return () => 0
  if (name === 'roundrobin') {
    let next = 0
    return (_, partitions) => next++ % partitions
  }
  return (_, partitions) => Math.floor(Math.random() * partitions)
}

/** FNV-1a of 32 bits, its sign dropped as sarama drops it: a signed number whose absolute value counts. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193)
  return Math.abs(hash | 0)
}

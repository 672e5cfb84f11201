/** The topics that a topic consists of. */

/** @param count of its partitions; 0: it has none */
export const namesOf = (topic: string, count: number): string[] =>
  count === 0 ? [topic] : Array.from({ length: count }, (_, i) => `${topic}-partition-${i}`)

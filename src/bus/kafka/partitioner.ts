import { fnv32a } from '../../core/fnv.ts'

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

/** A signed number whose absolute value counts: sarama drops the sign so. */
const hashOf = (key: string): number => Math.abs(fnv32a(Buffer.from(key)) | 0)

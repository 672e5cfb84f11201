/** Seeded fuzz of parsers and verifiers: samples with bytes changed, dropped, doubled and spliced. The same seed gives the same inputs. */

import { seeded } from '../sim/random.ts'
import { FULL } from './full.ts'

/** How many inputs: short by default, a million in the whole matrix. */
export const FUZZ_RUNS = FULL ? 1_000_000 : 3_000

/** Bytes that mean something to JSON, forms, headers and UTF-8. */
const TELLING = Buffer.from('"\\{}[],:%&=+0.-eE\n\r\0 \t<>ntf\x7f\x80\xc3\xff', 'latin1')

/** @param samples well-formed inputs; each one made has one to four changes */
export function* mutations(
  samples: readonly (string | Buffer)[],
  { seed, runs = FUZZ_RUNS }: { seed: number; runs?: number },
): Generator<Buffer> {
  const random = seeded(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const bytes = samples.map((sample) => Buffer.from(sample))
  for (let run = 0; run < runs; run++) {
    let input: Buffer = Buffer.from(bytes[below(bytes.length)]!)
    for (let changes = 1 + below(4); changes > 0; changes--) {
      const at = below(input.length + 1)
      const [head, tail] = [input.subarray(0, at), input.subarray(at)]
      const kind = below(5)
      const byte = below(2) === 0 ? TELLING[below(TELLING.length)]! : below(256)
      if (kind === 0) input = Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)])
      else if (kind === 1) input = Buffer.concat([head, Buffer.from([byte]), tail])
      else if (kind === 2) input = Buffer.concat([head, tail.subarray(1 + below(8))])
      else if (kind === 3) input = Buffer.concat([head, tail.subarray(0, below(20)), tail])
      else {
        const other = bytes[below(bytes.length)]!
        const from = below(other.length)
        input = Buffer.concat([head, other.subarray(from, from + below(40)), tail])
      }
    }
    yield input
  }
}

/** Cuts a stream of bytes into lines, whole ones only: what a broken connection leaves behind its last newline is dropped. */

/** @throws RangeError when a line is longer than `mostBytes` */
export async function* lines(chunks: AsyncIterable<Uint8Array>, mostBytes: number): AsyncGenerator<string> {
  let rest: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
      const end = chunk.subarray(from, to)
      // Decoded as a whole, so that a character may lie across two chunks.
      yield Buffer.concat([...rest, end]).toString()
      rest = []
      bytes = 0
      from = to + 1
    }
    const start = chunk.subarray(from)
    if (start.length === 0) continue
    rest.push(start)
    bytes += start.length
    if (bytes > mostBytes) throw new RangeError(`a line of more than ${mostBytes} bytes`)
  }
}

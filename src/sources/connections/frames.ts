/** What a frame holds at least: a word that says what it is. */
const SMALLEST = 4

/**
 * Frames behind their size, 32 bits big-endian, as several protocols have them.
 * @param largest larger frames are hostile, bytes @param handle is given each frame without its size
 * @returns takes what comes, in any pieces. @throws Error when it is not the protocol; what `handle` throws
 */
export function sizedFrames(
  { protocol, largest }: { protocol: string; largest: number },
  handle: (frame: Buffer) => void,
): (chunk: Buffer) => void {
  let chunks: Buffer[] = []
  let held = 0
  /** Bytes that the frame in progress needs, its size field included. */
  let wanted = 4
  return (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    while (held >= wanted) {
      const data = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      chunks = [data]
      const size = data.readUInt32BE(0)
      if (size < SMALLEST || size > largest)
        throw new Error(`a frame of ${size} bytes: this is not the protocol of ${protocol}`)
      wanted = 4 + size
      if (held < wanted) return
      const rest = data.subarray(wanted)
      chunks = [rest]
      held = rest.length
      const frame = data.subarray(4, wanted)
      wanted = 4
      handle(frame)
    }
  }
}

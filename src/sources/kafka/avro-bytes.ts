/** A cursor over a value in Avro's binary encoding that believes no length: what it reads is there, and what becomes of it is bounded. */
import { fail } from '../../core/errors.ts'

/** No bus takes an event as large; a few bytes may claim to be far more (an array of 2^40 times null). Characters. */
export const MOST_TEXT = 16 << 20

/** Items of arrays and maps take a byte at least, apart from those of types without content (null, a record of none): of these, so many. */
const MOST_EMPTY_ITEMS = 10_000

const invalid = (text: string) => fail('EVENT_INVALID', `avro: ${text}`)

export class AvroBytes {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  #text = 0
  #items: number

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#items = bytes.length + MOST_EMPTY_ITEMS
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Counts text that was made, and gives it back. @throws EVENT_INVALID when it is too much */
  spend(text: string): string {
    this.#text += text.length
    if (this.#text > MOST_TEXT) throw invalid(`the value is longer than ${MOST_TEXT} characters`)
    return text
  }

  /** @throws EVENT_INVALID, as all below, when the bytes are at their end or mean nothing */
  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at)
      throw invalid(`the value is cut off: ${length} bytes are missing at byte ${this.#at} of ${this.#bytes.length}`)
    const taken = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return taken
  }

  boolean(): boolean {
    const [byte] = this.take(1)
    if (byte! > 1) throw invalid(`a boolean is 0 or 1, not ${byte}`)
    return byte === 1
  }

  int(): number {
    const value = Number(this.long())
    if (value !== (value | 0)) throw invalid(`${value} is no int`)
    return value
  }

  /** A number while it is exact, else a bigint. Zigzag, seven bits a byte, the lowest first. */
  long(): number | bigint {
    let value = 0
    for (let i = 0; i < 7; i++) {
      const [byte] = this.take(1)
      value += (byte! & 0x7f) * 2 ** (7 * i)
      if (byte! < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    let whole = BigInt(value)
    for (let i = 7; i < 10; i++) {
      const [byte] = this.take(1)
      whole += BigInt(byte! & 0x7f) << BigInt(7 * i)
      if (byte! < 0x80) return exact(BigInt.asUintN(64, whole))
    }
    throw invalid('a long has more than 64 bits')
  }

  float(): number {
    this.take(4)
    return this.#view.getFloat32(this.#at - 4, true)
  }

  double(): number {
    this.take(8)
    return this.#view.getFloat64(this.#at - 8, true)
  }

  bytes(): Uint8Array {
    const length = this.long()
    if (length < 0) throw invalid(`a length is not ${length}`)
    return this.take(Number(length))
  }

  /** The items of an array or a map, which come in blocks: each with its count, and a negative one with its size in bytes behind it. */
  blocks<T>(item: () => T): T[] {
    const items: T[] = []
    for (let count = this.long(); count !== 0; count = this.long()) {
      if (count < 0) {
        count = -count
        this.long()
      }
      if (count > this.#items) throw invalid(`${count} items are more than the value can have`)
      this.#items -= Number(count)
      for (let i = 0; i < count; i++) {
        items.push(item())
        this.spend(',')
      }
    }
    return items
  }
}

function exact(zigzag: bigint): number | bigint {
  const value = (zigzag >> 1n) ^ -(zigzag & 1n)
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

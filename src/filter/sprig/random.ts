import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { toBase64 } from '../json.ts'
import type { Meter } from '../limits.ts'
import { Problem } from '../problem.ts'
import { characters } from '../text.ts'
import { define, type Functions } from './define.ts'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const DIGITS = '0123456789'
const ASCII = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')

function pick(count: bigint, from: string, meter: Meter): string {
  const length = Math.max(0, Number(count))
  meter.text(length)
  meter.spend(length * 10)
  return Array.from({ length }, () => from[randomInt(from.length)]).join('')
}

const randomText = (from: string) => define('i:s', ([count], meter) => pick(count, from, meter))

/** Functions whose result differs each time. */
export const random: Functions = {
  randAlphaNum: randomText(LETTERS + DIGITS),
  randAlpha: randomText(LETTERS),
  randAscii: randomText(ASCII),
  randNumeric: randomText(DIGITS),
  randInt: define('ii:i', ([low, high]) => {
    if (high <= low) throw new Problem('randInt: the second number must be greater')
    return low + (BigInt(`0x${randomBytes(16).toString('hex')}`) % ((high as bigint) - (low as bigint)))
  }),
  randBytes: define('i:s', ([count], meter) => {
    if (count < 0n) throw new Problem('randBytes: negative length')
    meter.text(Number(count) * 2)
    return toBase64(randomBytes(Number(count)).toString('latin1'))
  }),
  shuffle: define('s:s', ([text], meter) => {
    meter.spend(text.length)
    const all = characters(text)
    for (let i = all.length - 1; i > 0; i--) {
      const j = randomInt(i + 1)
      ;[all[i], all[j]] = [all[j] as string, all[i] as string]
    }
    return all.join('')
  }),
  uuidv4: define(':s', (_, meter) => {
    meter.spend(20)
    return randomUUID()
  }),
}

import { RE2JS } from 're2js'
import { limits, type Meter } from './limits.ts'
import { Problem } from './problem.ts'
import { fromBytes } from './text.ts'

/**
 * Compiles a Go regular expression (RE2 syntax; matching takes time linear in the text).
 * @param pattern byte string
 * @throws Problem when it is not RE2 syntax or too large
 */
export function compileRegex(pattern: string, at?: number): RE2JS {
  if (pattern.length > limits.pattern)
    throw new Problem(`the regular expression is longer than ${limits.pattern} bytes`, at)
  const text = fromBytes(pattern)
  if (writtenOut(text) > limits.patternSize)
    throw new Problem(`the regular expression repeats too much: ${JSON.stringify(text.slice(0, 80))}`, at)
  try {
    return RE2JS.compile(text)
  } catch (error) {
    throw new Problem(`${(error as Error).message}`, at)
  }
}

/** Compiles a pattern that is known only while the expression runs. */
export function compileDynamic(pattern: string, meter: Meter): RE2JS {
  const cost = 200 + 50 * Math.min(writtenOut(fromBytes(pattern)), limits.patternSize)
  return meter.once(`regex ${pattern}`, cost, () => compileRegex(pattern))
}

/** True when `regex` matches somewhere in the byte string. */
export function matches(regex: RE2JS, bytes: string, meter: Meter): boolean {
  return textFor(regex, bytes, meter, (text) => regex.matcher(text).find())
}

/** Runs `use` on the text of a byte string after counting what matching may cost. */
export function textFor<T>(regex: RE2JS, bytes: string, meter: Meter, use: (text: string) => T): T {
  // Measured: 20 ns per byte and instruction at worst (many threads), about 0.4 µs per byte in ordinary patterns.
  meter.spend(bytes.length * Math.max(2, regex.programSize() / 5))
  return use(fromBytes(bytes))
}

/**
 * How large a pattern is when `{n,m}` are written out: an upper bound on the size of the compiled program, found
 * without compiling, since that is what takes the time and memory.
 */
function writtenOut(pattern: string): number {
  const open: number[] = []
  let total = 0
  let atom = 0
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]
    const repeat = c === '{' ? /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(pattern.slice(i, i + 12)) : null
    if (repeat !== null) {
      const times = Math.max(Number(repeat[1]), Number(repeat[3] || 0)) + 1
      total += atom * (times - 1)
      atom *= times
      i += repeat[0].length - 1
    } else if (c === '(') {
      open.push(total)
      total += 2
      atom = 2
    } else if (c === ')') {
      atom = total - (open.pop() ?? 0)
    } else {
      if (c === '\\') i++
      else if (c === '[') i = endOfClass(pattern, i)
      total += 1
      atom = 1
    }
    if (total > limits.patternSize) return total
  }
  return total
}

function endOfClass(pattern: string, from: number): number {
  let i = from + 1
  if (pattern[i] === '^') i++
  if (pattern[i] === ']') i++
  while (i < pattern.length && pattern[i] !== ']') {
    if (pattern[i] === '\\') i++
    else if (pattern.startsWith('[:', i)) i = Math.max(i, pattern.indexOf(':]', i) + 1)
    i++
  }
  return i
}

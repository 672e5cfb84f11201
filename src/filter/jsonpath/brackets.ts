/** Where the bracket at `from` closes; brackets in quotes do not count. -1 when it does not. */
export function closing(text: string, from: number): number {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    const c = text[i]
    if (c === "'" || c === '"') {
      const end = endOfQuote(text, i)
      if (end < 0) return -1
      i = end
    } else if (c === '[' || c === '(') {
      depth++
    } else if (c === ']' || c === ')') {
      if (--depth === 0) return i
    }
  }
  return -1
}

/** Where the quote at `from` closes; -1 when it does not. */
export function endOfQuote(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === text[from]) return i
  }
  return -1
}

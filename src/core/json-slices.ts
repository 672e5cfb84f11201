/** The members of JSON objects and the items of arrays as pieces of the text, so that what is in them stays as it was sent. */

/** Members of a compact, valid JSON object in the order of the text, repeats included. @param text begins with `{` */
export function jsonMembers(text: string): [name: string, value: string][] {
  return slices(text).map((member) => {
    const end = endOfString(member, 0)
    return [JSON.parse(member.slice(0, end)) as string, member.slice(end + 1)]
  })
}

/** Items of a compact, valid JSON array. @param text begins with `[` */
export const jsonItems = (text: string): string[] => slices(text)

/** What stands between the outer brackets, split at its commas. */
function slices(text: string): string[] {
  const found: string[] = []
  let depth = 0
  let start = 1
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (c === QUOTE) at = endOfString(text, at) - 1
    else if (c === 0x7b || c === 0x5b) depth++
    else if (c === 0x7d || c === 0x5d) {
      if (--depth === 0 && at > start) found.push(text.slice(start, at))
    } else if (c === 0x2c && depth === 1) {
      found.push(text.slice(start, at))
      start = at + 1
    }
  }
  return found
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** The place after the string that begins at `at`. */
function endOfString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === BACKSLASH) i++
    else if (c === QUOTE) return i + 1
  }
  return text.length
}

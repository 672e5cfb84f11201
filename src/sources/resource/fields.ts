/** Paths into an object's JSON: gjson's (https://github.com/tidwall/gjson/blob/master/SYNTAX.md) as far as names, numbers and `\` go. */

/** The steps of a path; null when it uses more of gjson than that. */
export function pathOf(text: string): string[] | null {
  if (text === '') return null
  const steps: string[] = []
  let step = ''
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (c === '\\' && i + 1 < text.length) step += text[++i]
    else if (c === '.') {
      steps.push(step)
      step = ''
    } else if ('*?|#@!{}[]()'.includes(c)) return null
    else step += c
  }
  steps.push(step)
  return steps.includes('') ? null : steps
}

/** What is there, or undefined. */
export function valueAt(object: unknown, path: readonly string[]): unknown {
  let value = object
  for (const step of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value
}

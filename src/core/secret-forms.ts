/** The forms in which a secret value may turn up in a text. Pure. */
import { credentialsOfUrl } from './url-credentials.ts'

export interface SecretForm {
  form: string
  /** It is so short that it counts only where it is a word of its own. */
  word: boolean
}

/** From this length on a value is hidden wherever it stands. */
const LONG = 8
/** Shorter ones down to this are hidden where they are words of their own; below it never: ordinary text would be unreadable. */
const SHORT = 4
/** A short value of these alone is an ordinary word or a number (`guest`, `5672`), and hides nothing that could not be guessed. */
const ORDINARY = /^(?:\p{L}+|\d+)$/u
/** Lines of a PEM file that say what it is. */
const FENCE = /^-----(?:BEGIN|END) [A-Z0-9 ]+-----$/
/** Members of a file that holds a login, as YAML, JSON or properties write them: `password: …`, `"private_key_id": "…"`. */
const MEMBER =
  /(?:key|key_id|secret|token|password|passwd|pwd|signature)["']?\s*[:=]\s*(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"',;]+))/gi

/** @param value of a Secret, as it was read */
export function formsOf(value: string): SecretForm[] {
  const parts = new Set([value, value.trim(), ...linesOf(value), ...membersOf(value), ...credentialsOfUrl(value)])
  const forms = new Map<string, SecretForm>()
  for (const part of parts) for (const one of formsOfPart(part)) forms.set(one.form, one)
  return [...forms.values()]
}

const linesOf = (value: string): string[] => value.split(/[\r\n]+/).map((line) => line.trim())

function membersOf(value: string): string[] {
  const found = [...value.matchAll(MEMBER)].map(([, double, single, plain]) => double ?? single ?? plain ?? '')
  // JSON writes a key of several lines as one
  return found.flatMap((one) => [one, ...linesOf(one.replaceAll('\\n', '\n'))])
}

function formsOfPart(part: string): SecretForm[] {
  if (part.length < SHORT || FENCE.test(part)) return []
  if (part.length < LONG) return ORDINARY.test(part) ? [] : [{ form: part, word: true }]
  const texts = [part, percentEncoded(part), formEncoded(part), JSON.stringify(part).slice(1, -1)]
  return [...texts, ...inBase64(part)].map((form) => ({ form, word: false }))
}

const percentEncoded = (text: string): string => encodeURIComponent(text.toWellFormed())

const formEncoded = (text: string): string => new URLSearchParams({ a: text }).toString().slice(2)

/**
 * By itself and within something longer (`user:password`): base64 has three bytes in four characters, so there are three ways for a value to lie
 * in it. The characters that only it decides are looked for.
 */
function inBase64(text: string): string[] {
  const bytes = Buffer.from(text)
  return [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const own = whole.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/**
 * Prose that lies beside the code it describes. Numbers in it are those of the code:
 *
 *   {{serve.IN_FLIGHT}}              what `serve.ts` beside the text exports under this name (also a member: `ear.limits.keepMs`)
 *   {{spec.MAKE_UP_MS in s}}         the same, with its unit: milliseconds in s, bytes in MiB
 *   {{> ../standby/failures.md}}     another text, where several say the same
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'

const UNITS: Record<string, number> = { s: 1000, MiB: 1024 * 1024 }

/**
 * The text of a file with its placeholders filled, without the white space around it.
 * @throws Error naming file and placeholder when there is no such value, unit or text
 */
export async function proseOf(file: string): Promise<string> {
  const text = (await readFile(file, 'utf8')).trim()
  const parts: string[] = []
  let end = 0
  for (const { 0: whole, 1: inner, index } of text.matchAll(/\{\{(.*?)\}\}/gs)) {
    parts.push(text.slice(end, index), await filled(file, inner!.trim()))
    end = index + whole.length
  }
  return parts.join('') + text.slice(end)
}

async function filled(file: string, wanted: string): Promise<string> {
  const folder = path.dirname(file)
  if (wanted.startsWith('>')) return proseOf(path.join(folder, wanted.slice(1).trim()))
  const [, modulePath, names, unit] = /^(.*?\w)\.(\w[\w.]*)(?: in (\w+))?$/.exec(wanted) ?? []
  const wrong = (why: string) => new Error(`${file}: {{${wanted}}}: ${why}`)
  if (modulePath === undefined) throw wrong('write {{file.NAME}}, {{file.NAME in s}} or {{> file.md}}')
  let value: unknown = await import(path.join(folder, `${modulePath}.ts`)).catch((error) => {
    throw wrong(String(error))
  })
  for (const name of names!.split('.')) value = (value as Record<string, unknown> | undefined)?.[name]
  if (typeof value !== 'number') throw wrong('no number of this name is exported')
  if (unit === undefined) return value.toLocaleString('en')
  if (UNITS[unit] === undefined) throw wrong(`the units are ${Object.keys(UNITS).join(', ')}`)
  return `${(value / UNITS[unit]).toLocaleString('en')} ${unit}`
}

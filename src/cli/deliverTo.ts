/** Where `vedette run` delivers to, as its flags say it. Credentials come from files: arguments are read by everybody on the machine. */
import { readFile } from 'node:fs/promises'
import { type DeliverTo, type DeliveryMode, parseTarget } from '../api/deliver.ts'
import { fail } from '../core/errors.ts'
import type { Redactor } from '../core/redact.ts'
import { withoutCredentials } from '../core/url-credentials.ts'

/** Fields that hold no credential. */
const OPEN_FIELD = /^(?:accept|content)(?:-|$)|^(?:user-agent|from|via)$/

export interface DeliverFlags {
  deliver?: string
  deliverFile?: string
  deliverHeaderFile?: string
  deliverMode: DeliveryMode
}

/** @returns undefined when nothing is delivered. @throws USAGE, which shows nothing of a credential */
export async function deliverTo(flags: DeliverFlags, redactor: Pick<Redactor, 'hide'>): Promise<DeliverTo | undefined> {
  const { deliver, deliverFile, deliverHeaderFile, deliverMode: mode } = flags
  if (deliver !== undefined && deliverFile !== undefined)
    throw fail('USAGE', '--deliver and --deliver-file both say where to deliver to: give one of them')
  if (deliver === undefined && deliverFile === undefined) {
    if (deliverHeaderFile === undefined) return undefined
    throw fail('USAGE', '--deliver-header-file needs an address: give --deliver URL or --deliver-file FILE')
  }
  const url = deliver === undefined ? await urlIn(deliverFile!) : openly(deliver)
  const secret = deliver === undefined
  parseTarget(url, { secret })
  if (deliverHeaderFile === undefined) return { url, secret, mode }
  const credentials = async () => {
    const fields = await fieldsIn(deliverHeaderFile)
    for (const [name, value] of Object.entries(fields))
      if (!OPEN_FIELD.test(name)) for (const word of value.split(/\s+/)) redactor.hide(word)
    return fields
  }
  await credentials()
  return { url, secret, mode, credentials }
}

/** @throws USAGE for a URL that has credentials */
function openly(url: string): string {
  const shown = withoutCredentials(url)
  if (shown === url) return url
  throw fail(
    'USAGE',
    `--deliver ${shown} has credentials, and everybody on this machine can read arguments: write the URL into a file that only you can read, and ` +
      'give --deliver-file FILE; or the credentials alone, as a line "Authorization: Bearer …", and give --deliver-header-file FILE',
  )
}

async function urlIn(file: string): Promise<string> {
  const [line = ''] = (await textIn(file, '--deliver-file')).trim().split(/\s*\n\s*/)
  return line
}

/** Lines `Name: value`; empty ones, and those that begin with `#`, are passed over. */
async function fieldsIn(file: string): Promise<Record<string, string>> {
  const lines = (await textIn(file, '--deliver-header-file')).split(/\r?\n/)
  const fields: Record<string, string> = {}
  for (const [at, line] of lines.entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue
    const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined || value === undefined)
      throw fail('USAGE', `--deliver-header-file: line ${at + 1} of ${file} is no field: write Name: value`)
    fields[name.toLowerCase()] = value
  }
  return fields
}

async function textIn(file: string, flag: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw fail(
      'USAGE',
      `${flag}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}): name a file that can`,
    )
  }
}

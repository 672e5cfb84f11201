import type { Command } from 'commander'
import { fail } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import { describeSource } from '../manifest/describe.ts'
import { type Field, fieldAt, members } from '../manifest/fields.ts'
import { nearest } from '../manifest/near.ts'
import type { SourceDefinition } from '../source.ts'

export default function register(program: Command): void {
  program
    .command('explain')
    .description('say what a source type, or one of its fields, is')
    .argument('[type.field]', 'e.g. webhook, calendar.schedule, file.watchPathConfig.path')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  vedette explain\n  vedette explain webhook\n  vedette explain webhook.authSecret',
    )
    .action(async (wanted: string | undefined, { json = false }: { json?: boolean }) => {
      const registry = await import('../sources/index.ts')
      if (wanted === undefined) {
        const { typesJson, typesTable } = await import('./types.ts')
        const definitions = (await Promise.all(registry.types.map(registry.loadSource))).filter((one) => one !== null)
        process.stdout.write(json ? typesJson(definitions) : typesTable(definitions))
        return
      }
      const [type = '', ...path] = wanted.split('.')
      const definition = await registry.loadSource(type)
      if (definition === null) throw unknownType(type, registry.types, registry.upstreamTypes)
      process.stdout.write(
        json ? `${JSON.stringify(explainJson(definition, path), null, 2)}\n` : explain(definition, path),
      )
    })
}

function unknownType(type: string, types: readonly string[], upstreamTypes: readonly string[]): Error {
  const list = `this version has ${types.join(', ')}`
  if (upstreamTypes.includes(type))
    return fail('SOURCE_UNKNOWN', `the type ${type} is not yet in this version; ${list}`)
  const meant = nearest(type, [...types, ...upstreamTypes])
  const hint = meant === undefined ? '' : `, did you mean ${quote(meant)}?`
  return fail('SOURCE_UNKNOWN', `there is no type ${quote(type)}${hint}${hint === '' ? '; ' : ' '}${list}`)
}

/** @throws SPEC_INVALID when the type has no such field */
function find(definition: SourceDefinition<any, any>, path: string[]): Field {
  const root = describeSource(definition)
  for (let i = 0; i < path.length; i++) {
    if (fieldAt(root, path.slice(0, i + 1)) !== undefined) continue
    const parent = [definition.type, ...path.slice(0, i)].join('.')
    const known = Object.keys(members(fieldAt(root, path.slice(0, i))) ?? {})
    const meant = nearest(path[i]!, known)
    const hint = meant === undefined ? '' : `, did you mean ${quote(meant)}?`
    const list = known.length === 0 ? 'it has no fields' : `it has ${known.join(', ')}`
    throw fail('SPEC_INVALID', `${parent} has no field ${quote(path[i]!)}${hint}${hint === '' ? '; ' : ' '}${list}`)
  }
  return fieldAt(root, path)!
}

export function explainJson(definition: SourceDefinition<any, any>, path: string[]): object {
  const field = fieldJson(find(definition, path))
  if (path.length > 0) return { path: [definition.type, ...path].join('.'), ...field }
  const { type, title, summary, strategy, guarantee, because, ids, examples } = definition
  return {
    type,
    title,
    summary,
    strategy,
    guarantee,
    because,
    ids,
    ...field,
    examples: examples.map(({ yaml }) => yaml),
  }
}

function fieldJson(field: Field): Record<string, unknown> {
  const below = members(field)
  return {
    fieldType: field.type,
    required: field.required,
    ...(field.default === undefined ? {} : { default: field.default }),
    description: field.description,
    ...(below === undefined
      ? {}
      : { fields: Object.fromEntries(Object.entries(below).map(([name, child]) => [name, fieldJson(child)])) }),
  }
}

/** @throws SPEC_INVALID when the type has no such field */
export function explain(definition: SourceDefinition<any, any>, path: string[]): string {
  const field = find(definition, path)
  const below = Object.entries(members(field) ?? {})
  const fields = below.length === 0 ? '' : `\nFIELDS\n${below.map(([name, child]) => fieldText(name, child)).join('')}`
  if (path.length > 0) return `${fieldText([definition.type, ...path].join('.'), field, '')}${fields}`
  const { type, title, summary, strategy, guarantee, because, ids, examples } = definition
  const serve = strategy === 'active-active' ? 'all replicas serve' : 'one replica serves, the others stand by'
  const example =
    examples[0] === undefined ? '' : `\nEXAMPLE: ${examples[0].title}\n${indent(examples[0].yaml.trim())}\n`
  return (
    `${title} (spec.${type})\n${wrap(summary, '')}\n` +
    `STRATEGY   ${strategy}: ${serve}\nGUARANTEE  ${guarantee}\n${wrap(because, '  ')}IDENTITY\n${wrap(ids, '  ')}${fields}${example}`
  )
}

function fieldText(name: string, field: Field, margin = '  '): string {
  const facts = [field.type, ...(field.required ? ['required'] : []), ...defaultText(field)]
  return `${margin}${name}  <${facts.join(', ')}>\n${wrap(field.description, `${margin}    `)}`
}

function defaultText({ default: value }: Field): string[] {
  return value === undefined || value === '' ? [] : [`default ${JSON.stringify(value)}`]
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

/** Lines of at most 100 characters. */
function wrap(text: string, margin: string): string {
  let lines = ''
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && margin.length + line.length + word.length >= 100) {
      lines += `${margin}${line}\n`
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return line === '' ? lines : `${lines}${margin}${line}\n`
}

/** Secret and ConfigMap documents. No message ever shows a value. */

import { z } from 'zod'
import { quote } from '../core/quote.ts'
import { decode } from './decode.ts'
import type { Values } from './manifest.ts'
import type { Notes } from './notes.ts'
import { readHead } from './objects.ts'
import type { MapNode, Path } from './tree.ts'

const strings = z.record(z.string(), z.string()).optional()
const flag = z.boolean().optional()

const secretSchema = z.object({ data: strings, stringData: strings, type: z.string().optional(), immutable: flag })
const configMapSchema = z.object({ data: strings, binaryData: strings, immutable: flag })

export function readSecret(root: MapNode, notes: Notes): Values {
  const fields = Object.keys(secretSchema.shape)
  const { name, namespace } = readHead(root, 'Secret', fields, notes)
  const { data = {}, stringData = {} } = decode(secretSchema, body(root, fields), [], notes).value ?? {}
  checkKeys('data', data, notes)
  checkKeys('stringData', stringData, notes)
  return { namespace, name, data: { ...decodeAll('data', data, notes), ...stringData } }
}

export function readConfigMap(root: MapNode, notes: Notes): Values {
  const fields = Object.keys(configMapSchema.shape)
  const { name, namespace } = readHead(root, 'ConfigMap', fields, notes)
  const { data = {}, binaryData = {} } = decode(configMapSchema, body(root, fields), [], notes).value ?? {}
  checkKeys('data', data, notes)
  checkKeys('binaryData', binaryData, notes)
  return { namespace, name, data: { ...data, ...decodeAll('binaryData', binaryData, notes) } }
}

/** The document without its head, which has been read, and without what the head has already called unknown. */
function body(root: MapNode, fields: string[]): MapNode {
  return { ...root, members: new Map([...root.members].filter(([key]) => fields.includes(key))) }
}

function checkKeys(field: string, values: Record<string, string>, notes: Notes): void {
  for (const key of Object.keys(values)) {
    if (/^[-._a-zA-Z0-9]{1,253}$/.test(key) && key !== '.' && key !== '..') continue
    const message = `${quote(key)} is no key that Kubernetes takes`
    notes.add({
      severity: 'error',
      path: [field, key],
      on: 'key',
      message,
      remedy: 'use letters, digits, "-", "_", "."',
    })
  }
}

function decodeAll(field: string, values: Record<string, string>, notes: Notes): Record<string, string> {
  const decoded: Record<string, string> = {}
  for (const [key, value] of Object.entries(values)) {
    const text = decodeBase64(value)
    if (text === null) notBase64([field, key], field, notes)
    else decoded[key] = text
  }
  return decoded
}

function notBase64(path: Path, field: string, notes: Notes): void {
  const remedy = field === 'data' ? 'plain text goes under stringData' : 'plain text goes under data'
  notes.add({ severity: 'error', path, message: 'is not base64', remedy })
}

/** As Go's standard encoding: padded, line breaks allowed. */
function decodeBase64(text: string): string | null {
  const compact = text.replace(/[\r\n]/g, '')
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return null
  return Buffer.from(compact, 'base64').toString('utf8')
}

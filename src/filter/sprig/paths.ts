import { posix } from 'node:path'
import type { Meter } from '../limits.ts'
import { Problem } from '../problem.ts'
import { OBJECT } from '../types.ts'
import { GoMap, type Value } from '../values.ts'
import { define, type Functions } from './define.ts'

/** Go's `path.Clean`: like POSIX normalisation, without a trailing slash. */
function clean(path: string): string {
  const normal = posix.normalize(path)
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal
}

function base(path: string): string {
  if (path === '') return '.'
  const trimmed = path.replace(/\/+$/, '')
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

function ext(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const dot = name.lastIndexOf('.')
  return dot < 0 ? '' : name.slice(dot)
}

const metered = (work: (path: string) => string) =>
  define('s:s', ([path], meter) => {
    meter.spend(path.length / 4)
    return work(path)
  })

const functions = {
  base: metered(base),
  dir: metered((path) => clean(path.slice(0, path.lastIndexOf('/') + 1))),
  clean: metered(clean),
  ext: metered(ext),
  isAbs: define('s:b', ([path]) => path.startsWith('/')),
}

function percentDecode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})|%/g, (whole, hex?: string) => {
    if (hex === undefined) throw new Problem(`unable to parse url: invalid escape ${JSON.stringify(whole)}`)
    return String.fromCharCode(Number.parseInt(hex, 16))
  })
}

/** Percent-encodes all but what matches. */
function percentEncode(text: string, plain: RegExp): string {
  return text.replace(/[\s\S]/g, (c) =>
    plain.test(c) ? c : `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

const FIELDS = ['scheme', 'host', 'hostname', 'path', 'query', 'opaque', 'fragment', 'userinfo'] as const
type Url = Record<(typeof FIELDS)[number], string>

/** Go's `url.Parse`, as sprig shows it. @throws Problem */
function parseUrl(text: string): Url {
  const invalid = (why: string) => new Problem(`unable to parse url: ${why}`)
  if (/[\x00-\x1f\x7f]/.test(text)) throw invalid('control character in URL')
  const hash = text.indexOf('#')
  const url: Url = { scheme: '', host: '', hostname: '', path: '', query: '', opaque: '', fragment: '', userinfo: '' }
  if (hash >= 0) url.fragment = percentDecode(text.slice(hash + 1))
  let rest = hash >= 0 ? text.slice(0, hash) : text
  if (rest === '*') return { ...url, path: '*' }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(rest)
  if (rest.startsWith(':')) throw invalid('missing protocol scheme')
  if (scheme !== null) {
    url.scheme = (scheme[1] as string).toLowerCase()
    rest = rest.slice(scheme[0].length)
  }
  const question = rest.indexOf('?')
  if (question >= 0) {
    url.query = rest.slice(question + 1)
    rest = rest.slice(0, question)
  }
  if (!rest.startsWith('/')) {
    if (url.scheme !== '') return { ...url, opaque: rest }
    if (/^[^/]*:/.test(rest)) throw invalid('first path segment in URL cannot contain colon')
  }
  if (rest.startsWith('//') && !(url.scheme === '' && rest.startsWith('///'))) {
    const slash = rest.indexOf('/', 2)
    const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash)
    rest = slash < 0 ? '' : rest.slice(slash)
    Object.assign(url, parseAuthority(authority, invalid))
  }
  url.path = percentDecode(rest)
  return url
}

function parseAuthority(
  authority: string,
  invalid: (why: string) => Problem,
): Pick<Url, 'host' | 'hostname' | 'userinfo'> {
  const at = authority.lastIndexOf('@')
  const host = authority.slice(at + 1)
  let userinfo = ''
  if (at >= 0) {
    const text = authority.slice(0, at)
    if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(text)) throw invalid('invalid userinfo')
    const colon = text.indexOf(':')
    const parts = colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)]
    userinfo = parts.map((part) => percentEncode(percentDecode(part), /[A-Za-z0-9\-_.~$&+,;=]/)).join(':')
  }
  const bracketed = /^(\[[^\]]*\])(:\d*)?$/.exec(host)
  if (host.startsWith('[') && bracketed === null) throw invalid('invalid host')
  if (bracketed !== null) return { host, hostname: (bracketed[1] as string).slice(1, -1), userinfo }
  const port = host.lastIndexOf(':')
  if (port >= 0 && !/^:\d*$/.test(host.slice(port))) throw invalid('invalid port after host')
  if (/[ <>"\\^`{}|]/.test(host)) throw invalid('invalid character in host name')
  const decoded = percentDecode(host)
  const end = decoded.lastIndexOf(':')
  return { host: decoded, hostname: end < 0 ? decoded : decoded.slice(0, end), userinfo }
}

function urlJoin(map: GoMap): string {
  const field = (name: string): string => {
    const value = map.entries.get(name)
    if (value === undefined) return ''
    if (typeof value !== 'string') throw new Problem(`unable to parse ${name} key: it must be a string`)
    return value
  }
  const [scheme, host, path, query, opaque] = ['scheme', 'host', 'path', 'query', 'opaque'].map(field) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const userinfo = field('userinfo') === '' ? '' : parseUrl(`proto://${field('userinfo')}@host`).userinfo
  let out = scheme === '' ? '' : `${scheme}:`
  if (opaque !== '') {
    out += opaque
  } else {
    if (scheme !== '' || host !== '' || userinfo !== '') {
      if (host !== '' || path !== '' || userinfo !== '') out += '//'
      if (userinfo !== '') out += `${userinfo}@`
      out += percentEncode(host, /[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/)
    }
    const escaped = percentEncode(path, /[A-Za-z0-9\-_.~$&+,/:;=@!'()*]/)
    if (path !== '' && !path.startsWith('/') && host !== '') out += '/'
    if (out === '' && /^[^/]*:/.test(escaped)) out += './'
    out += escaped
  }
  if (query !== '') out += `?${query}`
  return field('fragment') === ''
    ? out
    : `${out}#${percentEncode(field('fragment'), /[A-Za-z0-9\-_.~$&+,/:;=?@!'()*]/)}`
}

function shown(url: Url, meter: Meter): GoMap {
  meter.elements(FIELDS.length)
  return new GoMap(OBJECT, new Map<string, Value>(FIELDS.map((field) => [field, url[field]])))
}

export const paths: Functions = {
  ...functions,
  osBase: functions.base,
  osClean: functions.clean,
  osDir: functions.dir,
  osExt: functions.ext,
  osIsAbs: functions.isAbs,
  urlParse: define('s:m', ([text], meter) => {
    meter.spend(30 + text.length)
    return shown(parseUrl(text), meter)
  }),
  urlJoin: define('m:s', ([map], meter) => {
    meter.spend(30)
    const url = urlJoin(map)
    meter.text(url.length)
    return url
  }),
}

import { Problem } from '../problem.ts'
import { OBJECT } from '../types.ts'
import { GoMap, type Value } from '../values.ts'
import { dates } from './dates.ts'
import { define, type Functions } from './define.ts'
import { dicts } from './dicts.ts'
import { encoding } from './encoding.ts'
import { lists } from './lists.ts'
import { numbers } from './numbers.ts'
import { paths } from './paths.ts'
import { random } from './random.ts'
import { regexes } from './regexes.ts'
import { semver } from './semver.ts'
import { texts } from './texts.ts'

/** Functions of sprig that make keys or certificates, or ask the network: nothing for a filter that decides on an event. */
export const unsupported = [
  ...['bcrypt', 'htpasswd', 'derivePassword', 'encryptAES', 'decryptAES', 'genPrivateKey', 'buildCustomCert'],
  ...['genCA', 'genCAWithKey', 'genSelfSignedCert', 'genSelfSignedCertWithKey', 'genSignedCert'],
  ...['genSignedCertWithKey', 'getHostByName'],
] as const

const refusing = (name: string) =>
  define('a*:a', () => {
    throw new Problem(`sprig.${name} is not supported in filters`)
  })

/** The members of `sprig`: sprig 3.3's generic functions without `env` and `expandenv`, as upstream offers them. */
export const sprigFunctions: Functions = Object.freeze({
  ...Object.fromEntries(unsupported.map((name) => [name, refusing(name)])),
  ...dates,
  ...dicts,
  ...encoding,
  ...lists,
  ...numbers,
  ...paths,
  ...random,
  ...regexes,
  ...semver,
  ...texts,
})

/** A map of them; each evaluation gets its own, since `sprig.set` could change it. */
export function sprig(): Value {
  return new GoMap(OBJECT, () => new Map<string, Value>(Object.entries(sprigFunctions)))
}

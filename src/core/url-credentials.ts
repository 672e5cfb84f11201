/** Credentials that stand in URLs and connection strings, known by their form. Pure. */

import { percentDecoded } from './percent.ts'

/** What stands in their place. */
export const HIDDEN = '***'

/** `scheme://user:password@` */
const USER_INFORMATION = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'<>\\]+@/gi
/** `user:password@host`, as lists of brokers and addresses without a scheme have it; no image by its digest. */
const BARE_LOGIN = /(?<![\w@/.-])[^\s:/@"',;()[\]{}<>\\=]+:[^\s/@"',<>\\]+@(?=[\w.[-])(?!sha256:)/g

const PARAMETERS = [
  ...['token', 'access_token', 'refresh_token', 'id_token', 'auth_token', 'private_token', 'session_token', 'jwt'],
  ...['key', 'api_key', 'api-key', 'apikey', 'access_key', 'secret_key', 'account_key', 'subscription-key', 'code'],
  ...['sig', 'signature', 'password', 'passwd', 'pass', 'pwd', 'secret', 'client_secret', 'auth', 'authorization'],
  ...['sas', 'credential', 'credentials', 'assertion', 'hmac', 'delegation', 'x-functions-key'],
  ...['AWSAccessKeyId', 'GoogleAccessId', 'X-Amz-[A-Za-z-]+', 'X-Goog-[A-Za-z-]+'],
]
/** `?token=…`, `&sig=…` */
const QUERY = new RegExp(`([?&](?:amp;)?(?:${PARAMETERS.join('|')})=)[^&#\\s"'<>\\\\]+`, 'gi')
/** `SharedAccessKey=…;` of Azure, `AccountKey=…` */
const CONNECTION = /\b((?:SharedAccessKey|SharedAccessSignature|AccountKey|AccessKey|Password|Pwd)=)[^;\s"'<>\\]+/g
/** `Authorization: Bearer …` in any notation of fields. */
const AUTHORIZATION =
  /\b(authorization["']?\s*[:=,]\s*[["']*(?:(?:basic|bearer|token|digest|sharedaccesssignature|aws4-hmac-sha256)\s+)?)(?!<)[^\s"'\]<>\\,]{8,}/gi

/** The text with each credential of a URL, a connection string or an `Authorization` field as `***`. */
export function withoutCredentials(text: string): string {
  // most texts have none
  if (!/[@=]|uthorization/i.test(text)) return text
  return text
    .replace(USER_INFORMATION, `$1${HIDDEN}@`)
    .replace(BARE_LOGIN, `${HIDDEN}@`)
    .replace(QUERY, `$1${HIDDEN}`)
    .replace(CONNECTION, `$1${HIDDEN}`)
    .replace(AUTHORIZATION, `$1${HIDDEN}`)
}

/**
 * The logins of the URLs in a text, as values to be hidden wherever a server or a library repeats them: the password, where there is none the
 * user, both as they are written and decoded; and the values of the parameters that hold tokens.
 */
export function credentialsOfUrl(text: string): string[] {
  const written: string[] = []
  for (const [, login = ''] of text.matchAll(/(?:^|:\/\/|,\s*)([^\s,"'<>]*)@/g)) {
    const [user = '', password] = login.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').split(/:(.*)/s, 2)
    // an `@` further on in a URL, behind a port or a path, ends no login
    if (password === undefined ? !/[/?#]/.test(user) : !/^\d{1,5}[/?#]/.test(password)) written.push(password ?? user)
  }
  for (const [whole, start = ''] of text.matchAll(QUERY)) written.push(whole.slice(start.length))
  for (const [whole, start = ''] of text.matchAll(CONNECTION)) written.push(whole.slice(start.length))
  return written.flatMap((one) => [one, percentDecoded(one)]).filter((one) => one !== '' && one !== HIDDEN)
}

/** What a name node or HttpFS answers when it does not give what was asked for, in words that say what to do. */
import { fail, type VedetteError } from '../../core/errors.ts'

const STANDBY = 'StandbyException'
/** Another name node would say the same. */
const DEFINITE: ReadonlySet<unknown> = new Set([
  'FileNotFoundException',
  'AccessControlException',
  'IllegalArgumentException',
  'SecurityException',
  // HttpFS, for an operation that it does not know.
  'QueryParamException',
])

/**
 * An answer that is not 200: `{"RemoteException":{"exception","javaClassName","message"}}`, or a page of a server before it.
 * @param who `user alice`, or in other words who it is that asks
 * @returns ORIGIN_UNAVAILABLE with `details.exception` and `details.message`, its own words, empty when it has none
 */
export function refusal(
  status: number,
  text: string,
  { node, path, who }: { node: string; path: string; who: string },
): VedetteError {
  const { host } = new URL(node)
  const { exception, message } = remoteException(text)
  const say = (words: string) => fail('ORIGIN_UNAVAILABLE', words, { exception, message })
  if (exception === STANDBY) return say(`${host} is a standby`)
  if (exception === 'AccessControlException') return say(`${who} may not list ${path}`)
  if (message.includes('"user.name"'))
    return say(`${host} does not take ${who}: it takes those that fit its dfs.webhdfs.user.provider.user.pattern`)
  if (status === 401) return say(`${host} asks for Kerberos, which is not in this version`)
  const first = message.split('\n', 1)[0]!.slice(0, 300)
  return say(`${host} answered ${status}${exception === '' ? '' : ` ${exception}`}${first === '' ? '' : `: ${first}`}`)
}

export const isDefinite = ({ details }: VedetteError): boolean => DEFINITE.has(details.exception)

/** One error of those of all who were asked. That one stands by matters less than what is wrong with another. @param left who was not asked, and why */
export function nobodyServes(errors: readonly VedetteError[], left: readonly string[]): VedetteError {
  const [standby, wrong] = [true, false].map((by) =>
    errors.filter(({ details }) => (details.exception === STANDBY) === by),
  )
  const said = [...wrong!, ...standby!].map(({ message }) => message)
  const head = wrong!.length === 0 ? 'no name node is active: ' : ''
  return fail('ORIGIN_UNAVAILABLE', `${head}${[...said, ...left].join('; ')}`, errors[0]?.details)
}

function remoteException(text: string): { exception: string; message: string } {
  try {
    const { exception, message } = JSON.parse(text).RemoteException
    return { exception: String(exception), message: String(message) }
  } catch {
    return { exception: '', message: '' }
  }
}

/** Topic filters of MQTT (3.1.1, section 4.7), and those that share (MQTT 5, section 4.8.2, which brokers have for 3.1.1 too). */

/**
 * Each message goes to one member of a group, or one subscriber is let in only. `$share/<group>/` is the standard's; HiveMQ has `$share:<group>:`, EMQX and
 * others `$queue/` and `$exclusive/`, VerneMQ's kin `$oshare/<group>/`, IBM `$SharedSubscription/<group>/`, Solace `#share/<group>/`.
 */
const SHARED =
  /^(?:[$#]share\/[^/]*\/|\$oshare\/[^/]*\/|\$sharedsubscription\/[^/]*\/|\$share:[^:]*:|\$queue\/|\$exclusive\/)/i

export const isShared = (filter: string): boolean => SHARED.test(filter)

/** The filter that topics are compared with. */
export const unshared = (filter: string): string => filter.replace(SHARED, '')

/** Whether a broker may give a message of this topic for the filter. Topics that begin with `$` are left to the broker. */
export function matches(filter: string, topic: string): boolean {
  const wanted = unshared(filter).split('/')
  const levels = topic.split('/')
  for (const [i, one] of wanted.entries()) {
    if (one === '#') return true
    if (levels[i] === undefined || (one !== '+' && one !== levels[i])) return false
  }
  return wanted.length === levels.length
}

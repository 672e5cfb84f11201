/** What the pages of types with a hot standby say in common. */
export const hotStandbyDocs = `
Every replica is subscribed, and gets everything. The one that leads publishes. The others keep the last 60 s (at most 16 MiB) in memory and follow the log: what appears there they forget. When the
leader is gone the next one reads the log to its end, publishes what is left in its memory, in the order in which it came, and goes on with what comes. Messages with equal payloads are counted: three that came are three events.
`.trim()

export const hotStandbyFailures = `
| the serving replica is killed or frozen | the next one publishes what that one had not: nothing lost, nothing doubled |
| all replicas are killed | what comes until one is subscribed again is lost: nobody keeps it |
| a replica loses its connection | it misses what comes until it is subscribed again; if it must lead within that time, those are lost |
| the bus takes nothing | the leader keeps up to 16 MiB of what comes, the others the last 60 s; what is more is lost, counted and shown |
| messages with equal payloads, under way while a replica subscribes or misses one | if that replica must lead soon after, their number may be off by one |
`.trim()

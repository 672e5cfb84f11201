/**
 * How much is run. `short`: what a laptop does in some minutes (`npm test`). `whole`: everything once, as the CI does (CI=true). `full`: tests
 * repeat and multiply what they do once there (VEDETTE_FULL=1).
 */
export type Length = 'short' | 'whole' | 'full'

export const lengths: readonly Length[] = ['short', 'whole', 'full']

/**
 * Files that the short length leaves out, each for what it costs: processes killed by the dozen, attackers by the thousand, clusters, answers
 * that never come.
 */
const LONGER: readonly RegExp[] = [
  /^test\/(faults|security|pod|controller)\//,
  /^test\/(mutations|image)\.test\.ts$/,
  /^test\/contract\/(kafka-answers|tls-addresses|bus-kafka|kafka-bus|bus-jetstream)\.test\.ts$/,
  /^test\/local\/(examples|ready|scale|supervision)\.test\.ts$/,
  /^src\/sources\/(amqp\/stream|hdfs\/name-nodes|kafka\/answers)\.test\.ts$/,
]

/** @param files relative to the repository, with slashes */
export const filesOf = (length: Length, files: readonly string[]): string[] =>
  files.filter((file) => length !== 'short' || !LONGER.some((one) => one.test(file)))

/** What is asked for: by name, else by the environment; short. */
export function lengthOf(asked: string | undefined, env: NodeJS.ProcessEnv): Length {
  const length = asked ?? (env.VEDETTE_FULL === '1' ? 'full' : env.CI === 'true' ? 'whole' : 'short')
  const known = lengths.find((one) => one === length)
  if (known === undefined) throw new RangeError(`there is no length ${length}: ${lengths.join(', ')}`)
  return known
}

/** Java servers: Maven fetches a program with all that it needs. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serversDir } from './cache.ts'

/** `[group, artifact, version]` */
export type Artifact = readonly [group: string, artifact: string, version: string]

/**
 * Puts the jars into `libs` of that folder of the cache.
 * @param managed artifacts whose version holds wherever they are needed
 * @param boms lists of such artifacts
 * @throws when Maven or Java is missing, or a jar cannot be had
 */
export function installJars(
  folder: string,
  artifacts: Artifact[],
  { managed = [], boms = [] }: { managed?: Artifact[]; boms?: Artifact[] } = {},
): void {
  const dir = join(serversDir(), folder)
  mkdirSync(dir, { recursive: true })
  const bom = '<type>pom</type><scope>import</scope>'
  const dependencies = (of: Artifact[], more = '') =>
    of.map(
      ([group, artifact, version]) =>
        `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${more}</dependency>\n`,
    )
  writeFileSync(
    join(dir, 'pom.xml'),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>vedette</groupId><artifactId>server</artifactId><version>1</version>
<dependencyManagement><dependencies>
${[...dependencies(boms, bom), ...dependencies(managed)].join('')}</dependencies></dependencyManagement>
<dependencies>
${dependencies(artifacts).join('')}</dependencies></project>
`,
  )
  const goal = ['dependency:copy-dependencies', '-DoutputDirectory=libs', '-DincludeScope=runtime']
  execFileSync('mvn', ['-q', '-B', ...goal], { cwd: dir, stdio: ['ignore', 'inherit', 'inherit'] })
}

/** Log4j's configuration for a server that is to write to its standard output from this level on. */
export const log4j = (level: 'INFO' | 'WARN'): string => `Configuration:
  status: ERROR
  Appenders:
    Console:
      name: STDOUT
      target: SYSTEM_OUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: ${level}
      AppenderRef:
        - ref: STDOUT
`

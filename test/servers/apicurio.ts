/** Apicurio Registry, whose schemas are there by the API of Confluent's too: https://www.apicur.io/registry/docs/. In memory. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { installed, serversDir } from './cache.ts'
import { freePorts, startProcess } from './process.ts'

/** The last line that Java 17 runs. */
export const APICURIO_VERSION = '2.6.13.Final'
const DIR = `apicurio-${APICURIO_VERSION}`

/** Its program, or null. */
export const apicurioJar = () => installed(DIR, `apicurio-registry-app-${APICURIO_VERSION}-runner.jar`)

/** @throws when Maven is missing or the archive cannot be had */
export function installApicurio(): void {
  const dir = join(serversDir(), DIR)
  mkdirSync(dir, { recursive: true })
  const artifact = `io.apicurio:apicurio-registry-app:${APICURIO_VERSION}:tar.gz:all`
  const goal = ['dependency:unpack', `-Dartifact=${artifact}`, `-DoutputDirectory=${dir}`]
  execFileSync('mvn', ['-q', '-B', ...goal], { cwd: dir, stdio: ['ignore', 'inherit', 'inherit'] })
}

export interface Apicurio {
  /** What `schemaRegistry.url` is to be. */
  readonly url: string
  readonly port: number
  /** Registers a schema under a subject. @returns its id */
  register(subject: string, body: { schema: string; schemaType?: string; references?: object[] }): Promise<number>
  /** kill -9; all schemas are gone. */
  close(): Promise<void>
}

/** @param port the port to take; any free one by default */
export async function startApicurio(port?: number): Promise<Apicurio> {
  const jar = apicurioJar()
  if (jar === null) throw new Error('Apicurio is not installed: npm run servers')
  port ??= (await freePorts(1))[0]!
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  const java = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const settings = ['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${port}`]
  const server = await startProcess('java', [...java, ...settings, '-jar', jar], {
    ready: async () => (await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(5_000) })).ok,
    timeoutMs: 120_000,
  })
  return {
    url,
    port,
    async register(subject, body) {
      const answer = await fetch(`${url}/subjects/${encodeURIComponent(subject)}/versions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      const { id, message } = (await answer.json()) as { id?: number; message?: string }
      if (id === undefined) throw new Error(`the schema was refused: ${answer.status} ${message}`)
      return id
    },
    close: () => server.kill(),
  }
}

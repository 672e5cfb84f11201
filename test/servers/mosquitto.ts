/** Mosquitto of Debian, an MQTT broker with persistence. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installed } from './cache.ts'
import { debianLibraries, unpackDebian } from './debian.ts'
import { accepts, directoryFor, freePorts, type LastingServer, startLasting, startProcess } from './process.ts'

const DIR = 'mosquitto-debian'

export const mosquittoBinary = () => installed(DIR, 'usr', 'sbin', 'mosquitto')
export const installMosquitto = () => unpackDebian(DIR, 'mosquitto')

export interface MosquittoServer extends LastingServer {
  readonly port: number
  readonly url: string
}

/** @param config further lines of the configuration, those of the listener first */
export async function startMosquitto({
  config = 'allow_anonymous true',
}: {
  config?: string
} = {}): Promise<MosquittoServer> {
  const binary = mosquittoBinary()
  if (binary === null) throw new Error('mosquitto is not installed: npm run servers')
  const dir = directoryFor('mosquitto')
  const [port] = (await freePorts(1)) as [number]
  const file = join(dir, 'mosquitto.conf')
  const lines = [
    `listener ${port} 127.0.0.1`,
    config,
    'persistence true',
    `persistence_location ${dir}/`,
    'max_queued_messages 0',
    'sys_interval 1',
    'log_dest stderr',
    // It would give up root for a user that may not be there.
    'user root',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const start = () => startProcess(binary, ['-c', file], { ready: () => accepts(port), env: debianLibraries(DIR) })
  return Object.assign(await startLasting(dir, start), {
    port,
    url: `tcp://127.0.0.1:${port}`,
  })
}

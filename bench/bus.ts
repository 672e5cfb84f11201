/** An embedded bus of its own for a measurement. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Bus } from '../src/bus/bus.ts'
import { connectEmbedded } from '../src/bus/embedded/client.ts'
import { systemClock } from '../src/core/clock.ts'
import { silentLogger } from '../src/core/log.ts'

/** Starts a bus process that keeps its store in `dir`, lends it to `work`, and kills it. */
export async function withBus<T>(dir: string, work: (bus: Bus) => Promise<T>): Promise<T> {
  const socket = join(dir, 'bus.sock')
  const server = spawn(
    process.execPath,
    [
      new URL('../src/bus/embedded/main.ts', import.meta.url).pathname,
      JSON.stringify({ dir: join(dir, 'store'), socket, incarnation: 'next' }),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  try {
    const incarnation = await new Promise<number>((resolve) =>
      createInterface(server.stdout).on('line', (line) => {
        const said = JSON.parse(line) as { incarnation?: number }
        if (said.incarnation !== undefined) resolve(said.incarnation)
      }),
    )
    const bus = connectEmbedded({ socket, incarnation, session: 'bench', clock: systemClock, log: silentLogger })
    await new Promise<void>((resolve) => {
      if (bus.status().connected) return resolve()
      const forget = bus.onStatus((status) => {
        if (!status.connected) return
        forget()
        resolve()
      })
    })
    const result = await work(bus)
    await bus.close()
    return result
  } finally {
    server.kill('SIGKILL')
  }
}

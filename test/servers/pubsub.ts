/** Google's own fake of Pub/Sub (pstest, Go), in memory. */
import { installed } from './cache.ts'
import { buildGo } from './go.ts'
import { accepts, freePorts, type ServerProcess, startProcess } from './process.ts'

export const PSTEST_VERSION = '2.8.1'
const DIR = `pstest-${PSTEST_VERSION}`

export const pstestBinary = () => installed(DIR, 'pstest')

const MAIN = `package main

import (
	"os"
	"os/signal"
	"syscall"

	"cloud.google.com/go/pubsub/v2/pstest"
)

func main() {
	server := pstest.NewServerWithAddress(os.Args[1])
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM)
	<-ending
	server.Close()
}
`

/** @throws when Go is missing or the build fails */
export function installPstest(): void {
  const requires = { 'cloud.google.com/go/pubsub/v2': `v${PSTEST_VERSION}` }
  buildGo({ dir: DIR, name: 'pstest', main: MAIN, requires })
}

export interface PubSubServer {
  /** `127.0.0.1:<port>`, as PUBSUB_EMULATOR_HOST has it. */
  readonly host: string
  readonly server: ServerProcess
  close(): Promise<void>
}

export async function startPstest(): Promise<PubSubServer> {
  const binary = pstestBinary()
  if (binary === null) throw new Error('the Pub/Sub fake is not installed: npm run servers')
  const [port] = (await freePorts(1)) as [number]
  const host = `127.0.0.1:${port}`
  const server = await startProcess(binary, [host], { ready: () => accepts(port) })
  return { host, server, close: () => server.kill() }
}

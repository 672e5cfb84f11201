/**
 * A process with listeners: `/github` is signed, `/open-0` is not, and whatever comes on `/open` takes two seconds. Its arguments are the addresses of
 * proxies that it trusts.
 */
import { systemClock } from '../../../src/core/clock.ts'
import { silentLogger } from '../../../src/core/log.ts'
import { createListeners } from '../../../src/runtime/http/listeners.ts'
import { peers } from '../../../src/runtime/http/peer.ts'
import { checkHubSignature } from '../../../src/source/signature.ts'
import type { HttpRequest } from '../../../src/source.ts'
import { freePorts } from '../../servers/process.ts'
import { SECRET } from './target.ts'

const SLOW_MS = 2_000
const [port] = (await freePorts(1)) as [number]
const listeners = createListeners({
  ...{ bind: '127.0.0.1', clock: systemClock, log: silentLogger },
  peerOf: peers(process.argv.slice(2)),
})
const ok = { status: 200, body: 'success' }

const serve = (endpoint: string, handle: (request: HttpRequest) => Promise<typeof ok>) =>
  listeners.route(
    `default/hooks${endpoint}`,
    { port, endpoint, methods: ['POST'], handle },
    { signal: new AbortController().signal, secret: async () => SECRET, log: silentLogger, redact: (text) => text },
  )

await serve('/open-0', async () => ok)
await serve('/open', async ({ body }) => {
  // The payload is held besides the body, as the pipeline does.
  const held = Buffer.from(body)
  await systemClock.sleep(SLOW_MS)
  return held.length >= 0 ? ok : { ...ok, status: 500 }
})
await serve('/github', async (request) => {
  const refused = checkHubSignature(request.header('X-Hub-Signature-256'), request.body, [SECRET])
  if (refused !== null) return { status: 401, body: refused }
  request.proved()
  await systemClock.sleep(5)
  return ok
})
process.send!({ port })
process.on('disconnect', () => process.exit(0))

/**
 * Reading the store while no bus process runs (`vedette tail`). lmdb does it in a child process (reading-child.ts): what a damaged page ends
 * is that one, and here it becomes a sentence.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import type { Bus } from '../bus.ts'
import { checkStore } from './check.ts'
import { damagedStore, GONE_HINT } from './encoding.ts'
import { busOver } from './face.ts'
import { inspectHeader } from './header.ts'
import { isWrite, type Operation, type WireError } from './request.ts'

/** What goes to the child: a number, an operation, its input. What comes back: the number (-1: it is ready), a result or an error. */
export type ReadOrder = [number: number, operation: Operation, input: unknown]
export type ReadAnswer = [number: number, result: unknown, error: WireError | null]

const READY = -1

/**
 * @param dir the store's directory
 * @throws NOT_RUNNING there is no store; STORE_CORRUPT; STORE_TOO_NEW
 */
export async function openStoreReadOnly(dir: string): Promise<Pick<Bus, 'read' | 'tail' | 'state' | 'close'>> {
  const header = inspectHeader(dir)
  if (header.state === 'missing') throw fail('NOT_RUNNING', `there is no store in ${dir}: nothing was run there`)
  if (header.state === 'gone') throw damagedStore(dir, header.why, {}, GONE_HINT)
  let why = header.state === 'bad' ? header.why : undefined
  if (header.state === 'suspicious') why = (await checkStore(dir)).problems[0]
  if (why !== undefined) throw damagedStore(dir, why)
  const reader = await startReader(dir)
  return busOver(
    'embedded',
    {
      async call(operation, input) {
        if (isWrite(operation)) throw fail('BUS_UNAVAILABLE', 'the store is open for reading only')
        return (await reader.ask(operation, input)) as never
      },
      status: () => ({ connected: true }),
      onStatus: () => () => {},
      onPush: () => () => {},
      close: reader.close,
    },
    { clock: systemClock, maxEventBytes: 0 },
  )
}

async function startReader(dir: string) {
  const script = import.meta.url.endsWith('.ts') ? './reading-child.ts' : './reading-child.js'
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), [dir], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let ended: Error | null = null
  let last = READY
  const wait = (number: number) => {
    const answer = Promise.withResolvers<unknown>()
    if (ended !== null) answer.reject(ended)
    else waiting.set(number, answer)
    return answer.promise
  }
  const end = (why: string) => {
    ended ??= damagedStore(dir, why)
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  child.on('message', ([number, result, error]: ReadAnswer) => {
    const answer = waiting.get(number)
    waiting.delete(number)
    if (error === null) answer?.resolve(result)
    else answer?.reject(fail(error.code, error.message))
  })
  child.on('error', (error) => end(error.message))
  const gone = new Promise<void>((resolve) => {
    child.on('exit', (code, signal) => {
      end(`reading it ended the reading process (${signal ?? `exit code ${code}`})`)
      resolve()
    })
  })
  const close = async () => {
    if (child.connected) child.disconnect()
    await gone
  }
  // One that says why it cannot read is not to keep this process alive.
  await wait(READY).catch(async (error: unknown) => {
    await close()
    throw error
  })
  return {
    ask(operation: Operation, input: unknown) {
      const number = ++last
      const answer = wait(number)
      if (ended === null)
        child.send([number, operation, input] satisfies ReadOrder, (error) => error && end(error.message))
      return answer
    },
    close,
  }
}

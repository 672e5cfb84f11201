/** How commands reach the run of a data directory: HTTP over its control socket, which only the owner can open. */
import { type IncomingMessage, request } from 'node:http'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { codes, type ErrorCode, fail, messageOf } from '../core/errors.ts'
import { answers, type RunRecord, readRecord } from '../local/dataDir.ts'

export const DEFAULT_DATA = '.vedette'

/** Adds `--data`. */
export function withData(command: Command): Command {
  return command.option('--data <dir>', 'data directory of the run', DEFAULT_DATA)
}

/** The living run of a directory, or null. */
export async function findRun(data: string): Promise<RunRecord | null> {
  const record = await readRecord(resolve(data))
  return record !== null && (await answers(record.control)) ? record : null
}

/** @throws NOT_RUNNING */
export async function needRun(data: string): Promise<RunRecord> {
  const record = await findRun(data)
  if (record === null) throw notRunning(data)
  return record
}

export function notRunning(data: string) {
  return fail(
    'NOT_RUNNING',
    `nothing runs in ${resolve(data)}: start it with vedette run, or name its directory with --data`,
  )
}

/** Sends a request. The answer's body is not read yet. @throws NOT_RUNNING when the run is gone */
export function open(
  record: RunRecord,
  path: string,
  { body, signal, headers = {} }: { body?: unknown; signal?: AbortSignal; headers?: Record<string, string> } = {},
): Promise<IncomingMessage> {
  return new Promise((done, failed) => {
    const sent = request({
      socketPath: record.control,
      path,
      method: body === undefined ? 'GET' : 'POST',
      headers: { host: 'localhost', 'content-type': 'application/json', ...headers },
      ...(signal === undefined ? {} : { signal }),
    })
    sent.on('response', done)
    sent.on('error', (error) =>
      failed(signal?.aborted ? error : fail('NOT_RUNNING', `the run does not answer: ${messageOf(error)}`)),
    )
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Sends a request and reads its JSON. @throws what the run answered, under its code */
export async function call<T>(record: RunRecord, path: string, body?: unknown): Promise<T> {
  const response = await open(record, path, { body })
  const text = await textOf(response)
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return JSON.parse(text) as T
  throw errorIn(text, status)
}

export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch (error) {
    throw fail('NOT_RUNNING', `the run ended while it answered: ${messageOf(error)}`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

export function errorIn(text: string, status: number) {
  try {
    const { error, code } = JSON.parse(text) as { error: string; code?: string }
    if (code !== undefined && Object.hasOwn(codes, code)) return fail(code as ErrorCode, error)
    return fail('BUG', error)
  } catch {
    return fail('BUG', `the run answered ${status}: ${text.slice(0, 200)}`)
  }
}

/** Runs the command line to its end, or watches it while it runs. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const vedette = new URL('../../vedette', import.meta.url).pathname

type Test = { after(fn: () => unknown): void }

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

export async function cli(...args: string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await promisify(execFile)(vedette, args, { maxBuffer: 1 << 28 })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as Ended
    return { code, stdout, stderr }
  }
}

export interface Program {
  child: ChildProcess
  stdout(): string
  stderr(): string
  exited: Promise<number | null>
  /** Resolves when stdout contains `text`; rejects when the program ends before. */
  says(text: string): Promise<void>
}

/** Starts the command line in a process group of its own, which is killed after the test. */
export function start(t: Test, ...args: string[]): Program {
  const child = spawn(vedette, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  t.after(async () => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // already gone
    }
    await exited
  })
  return {
    child,
    exited,
    stdout: () => stdout,
    stderr: () => stderr,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (stdout.includes(text)) resolve()
        }
        child.stdout.on('data', look)
        void exited.then((code) =>
          reject(new Error(`ended with ${code} before it said ${JSON.stringify(text)}:\n${stderr}`)),
        )
        look()
      }),
  }
}

export function directory(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-local-'))
  t.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }))
  return dir
}

export const manifest = (port: number, { replicas = 2, more = '' } = {}): string => `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: shop }
spec:
  replicas: ${replicas}
  webhook:
    orders: { port: "${port}", endpoint: /orders, method: POST }
${more}  calendar:
    tick: { interval: 1s }
`

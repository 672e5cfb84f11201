/** Listens to `/v1/events` as a browser's `EventSource` does: comes back after each end with the last id that it saw. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Line } from './rig.ts'

export interface Listener {
  readonly lines: Line[]
  readonly connections: number
  close(): void
}

export function listenFrom(url: string): Listener {
  const gone = new AbortController()
  const lines: Line[] = []
  let connections = 0
  let lastId = ''
  const take = (block: string) => {
    const id = /^id: (.*)$/m.exec(block)?.[1]
    const data = /^data: (.*)$/m.exec(block)?.[1]
    if (id === undefined || data === undefined) return
    lastId = id
    lines.push(JSON.parse(data) as Line)
  }
  const once = async () => {
    const answer = await fetch(url, {
      headers: lastId === '' ? {} : { 'last-event-id': lastId },
      signal: gone.signal,
    })
    assert.equal(answer.status, 200)
    connections++
    let rest = ''
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop()!
      for (const block of blocks) take(block)
    }
  }
  const listen = async () => {
    while (!gone.signal.aborted) {
      // An end of any kind is a reason to come back.
      await once().catch(() => {})
      await pause(50)
    }
  }
  void listen()
  return {
    lines,
    get connections() {
      return connections
    },
    close: () => gone.abort(),
  }
}

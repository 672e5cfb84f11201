/** The product on NATS JetStream: against two webhook servers that publish with the stock client, and its memory. */
import { startNats } from '../test/servers/nats.ts'
import { race, raceTable } from './jetstream/race.ts'

/** @returns the text of a section for docs/performance.md */
export async function jetstreamRates({
  seconds,
  rounds,
  say,
}: {
  seconds: number
  rounds: number
  say: (line: string) => void
}): Promise<string> {
  const tracks = [
    { title: 'One server (R1)', nodes: 1, delayMs: 0 },
    { title: 'Three servers, three replicas of the stream (R3)', nodes: 3, delayMs: 0 },
    { title: 'One server, 1 ms away in each direction', nodes: 1, delayMs: 1 },
  ]
  let text = ''
  for (const { title, nodes, delayMs } of tracks) {
    say(`jetstream: ${title}`)
    const nats = await startNats({ nodes })
    try {
      const results = await race({ urls: nats.urls, delayMs }, { seconds, rounds, connections: [1, 32, 256], say })
      text += `\n### ${title}\n\n${raceTable(results)}\n`
    } finally {
      await nats.close()
    }
  }
  return text
}

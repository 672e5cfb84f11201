/** A directory, a file per message. What nobody was told of is found by looking; it is moved away and back. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { dataOf, waitFor } from '../faults/rig.ts'
import type { DeliveryAdapter } from './broker.ts'
import { type ContractAdapter, looked } from './suites.ts'

export const delivery = (): DeliveryAdapter[] => [
  {
    type: 'file',
    guarantee: 'exactly-once',
    skip: false,
    numberOf: (line) => Number(basename(dataOf(line).name)),
    async start(_, name) {
      const parent = mkdtempSync(join(tmpdir(), 'vedette-watched-'))
      const [directory, away] = [join(parent, name), join(parent, 'away')]
      mkdirSync(directory)
      return {
        spec: `eventType: CREATE\nwatchPathConfig: { directory: ${directory}, pathRegexp: ".*" }`,
        async send(texts) {
          for (const text of texts) {
            try {
              writeFileSync(join(directory, String(JSON.parse(text).n)), text, { flag: 'wx' })
            } catch (error) {
              if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
            }
          }
        },
        async restart(rig) {
          renameSync(directory, away)
          const error = async () => (await rig.status()).eventSources[0]!.entries[0]!.error
          await waitFor(async () => /does not exist/.test((await error()) ?? ''), 30_000, 50)
          renameSync(away, directory)
        },
        close: async () => rmSync(parent, { recursive: true, force: true, maxRetries: 10 }),
      }
    },
  },
]

export const contract = (): ContractAdapter[] => [
  {
    skip: false,
    async setUp(t) {
      const directory = mkdtempSync(join(tmpdir(), 'vedette-contract-'))
      t.after(() => rmSync(directory, { recursive: true, force: true }))
      let n = 0
      return {
        spec: { eventType: 'CREATE', watchPathConfig: { directory, pathRegexp: '.*' } },
        ready: looked,
        provoke: async () => writeFileSync(join(directory, `f${n++}`), ''),
      }
    },
  },
]

/**
 * Loaded into the processes of a run (`node --import`): on SIGUSR2 collects garbage and writes what is left, as JSON, to
 * `$VEDETTE_BENCH_SAMPLES/<pid>`.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const file = join(process.env.VEDETTE_BENCH_SAMPLES ?? '', String(process.pid))

process.on('SIGUSR2', () => {
  collect()
  writeFileSync(`${file}.new`, JSON.stringify(process.memoryUsage()))
  renameSync(`${file}.new`, file)
})

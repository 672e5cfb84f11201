/**
 * Loaded into every process of a run (`node --import`): on SIGUSR2 the process's wall clock is set to be off by the milliseconds
 * written in `$VEDETTE_TEST_CLOCKS/<pid>`; with `$VEDETTE_TEST_CLOCK_MS` it is off by so many from the start. What is monotonic stays, as when an administrator or NTP sets the clock.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const RealDate = Date
let offMs = Number(process.env.VEDETTE_TEST_CLOCK_MS ?? 0)

class ShiftedDate extends RealDate {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [ShiftedDate.now()] : given) as [number]))
  }

  static override now(): number {
    return RealDate.now() + offMs
  }
}

globalThis.Date = ShiftedDate as DateConstructor
process.on('SIGUSR2', () => {
  offMs = Number(readFileSync(join(process.env.VEDETTE_TEST_CLOCKS ?? '', String(process.pid)), 'utf8'))
  process.stderr.write(`process ${process.pid}: the clock is off by ${offMs} ms\n`)
})

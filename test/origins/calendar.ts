/** A schedule: its ticks are due by a clock of the test's own. */
import { fakeClock } from '../fake-clock.ts'
import type { ContractAdapter } from './suites.ts'

export const contract = (): ContractAdapter[] => [
  {
    skip: false,
    async setUp() {
      const clock = fakeClock(Date.parse('2026-11-22T15:18:14Z'))
      return {
        spec: { interval: '10s' },
        options: () => ({ clock }),
        ready: () => clock.advance(0),
        provoke: () => clock.advance(10_000),
      }
    },
  },
]

/** Percentiles, tables and the machine's own noise. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** The value below which `share` (0 to 1) of `values` lie. */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (values: number[]): number => percentile(values, 0.5)

/** The smallest and the largest of some ratios. */
export const spread = (ratios: number[]): string =>
  `${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)}`

/** A Markdown table. */
export function table(header: string[], rows: (string | number)[][]): string {
  const line = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Measures how late timers fire until `stop`, milliseconds. */
export function schedulerDelay(): { stop(): { p50: number; p99: number } } {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  return {
    stop() {
      histogram.disable()
      // The histogram holds the intervals of a 1 ms timer.
      return { p50: histogram.percentile(50) / 1e6 - 1, p99: histogram.percentile(99) / 1e6 - 1 }
    },
  }
}

export const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0))
export const perSecond = (value: number): string => Math.round(value).toLocaleString('en-US')

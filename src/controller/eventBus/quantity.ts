/** Kubernetes' quantities of bytes (kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity). Pure. */

/** `20Gi`, `1.5T`, `1e9`, `1000` as bytes, rounded down; null: it is no such text. */
export function bytesOf(quantity: unknown): number | null {
  const [, digits, unit = ''] =
    /^\+?(\d+(?:\.\d*)?|\.\d+)([KMGTPE]i|[kMGTPE]|m|[eE][+-]?\d+)?$/.exec(String(quantity)) ?? []
  if (digits === undefined) return null
  return Math.floor(Number(digits) * factorOf(unit))
}

function factorOf(unit: string): number {
  if (unit === '') return 1
  if (unit === 'm') return 1e-3
  if (/^[eE][+-]?\d/.test(unit)) return 10 ** Number(unit.slice(1))
  return (unit.endsWith('i') ? 1024 : 1000) ** ' kMGTPE'.indexOf(unit[0]!.replace('K', 'k'))
}

/** For people: the largest binary unit that leaves a whole number. */
export function textOf(bytes: number): string {
  for (const [power, unit] of [
    [4, 'Ti'],
    [3, 'Gi'],
    [2, 'Mi'],
    [1, 'Ki'],
  ] as const) {
    if (bytes >= 1024 ** power && bytes % 1024 ** power === 0) return `${bytes / 1024 ** power}${unit}`
  }
  return `${bytes}`
}

/** Builtins that take a closure. */
export const PREDICATES: ReadonlySet<string> = new Set([
  'all',
  'none',
  'any',
  'one',
  'filter',
  'map',
  'count',
  'find',
  'findIndex',
  'findLast',
  'findLastIndex',
  'groupBy',
  'reduce',
])

/** Every builtin of expr 1.15.5. As a bare name each hides a payload key of the same name. */
export const BUILTIN_NAMES: ReadonlySet<string> = new Set([
  ...PREDICATES,
  ...['len', 'type', 'abs', 'ceil', 'floor', 'round', 'int', 'float', 'string'],
  ...['trim', 'trimPrefix', 'trimSuffix', 'upper', 'lower', 'split', 'splitAfter', 'replace', 'repeat', 'join'],
  ...['indexOf', 'lastIndexOf', 'hasPrefix', 'hasSuffix', 'max', 'min', 'sum', 'mean', 'median'],
  ...['toJSON', 'fromJSON', 'toBase64', 'fromBase64', 'now', 'duration', 'date'],
  ...['first', 'last', 'get', 'take', 'keys', 'values', 'toPairs', 'fromPairs', 'sort', 'sortBy'],
])

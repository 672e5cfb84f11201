import { ANY, BOOL, BYTES, FLOAT, funcOf, INT, INT64, STRING, type Type } from '../types.ts'

/** Go's `time` types with the methods that expressions can call. What a method does is in methods.ts. */
const timeMethods = new Map<string, Type>()
const durationMethods = new Map<string, Type>()
const named = (kind: Type['kind'], name: string, methods: Map<string, Type> = new Map()): Type => ({
  kind,
  name,
  named: true,
  methods,
})
const text = (): Map<string, Type> => new Map([['String', funcOf([], STRING)]])

export const TIME: Type = named('struct', 'time.Time', timeMethods)
export const DURATION: Type = named('int64', 'time.Duration', durationMethods)
export const MONTH: Type = named('int', 'time.Month', text())
export const WEEKDAY: Type = named('int', 'time.Weekday', text())
export const LOCATION: Type = named('ptr', '*time.Location', text())

const add = (methods: Map<string, Type>, names: string, type: Type) => {
  for (const name of names.split(' ')) methods.set(name, type)
}

add(timeMethods, 'Year Day Hour Minute Second Nanosecond YearDay', funcOf([], INT))
add(timeMethods, 'Unix UnixMilli UnixMicro UnixNano', funcOf([], INT64))
add(timeMethods, 'Month', funcOf([], MONTH))
add(timeMethods, 'Weekday', funcOf([], WEEKDAY))
add(timeMethods, 'String GoString', funcOf([], STRING))
add(timeMethods, 'Format', funcOf([STRING], STRING))
add(timeMethods, 'IsZero IsDST', funcOf([], BOOL))
add(timeMethods, 'UTC Local', funcOf([], TIME))
add(timeMethods, 'Add Round Truncate', funcOf([DURATION], TIME))
add(timeMethods, 'AddDate', funcOf([INT, INT, INT], TIME))
add(timeMethods, 'Sub', funcOf([TIME], DURATION))
add(timeMethods, 'After Before Equal', funcOf([TIME], BOOL))
add(timeMethods, 'Compare', funcOf([TIME], INT))
add(timeMethods, 'In', funcOf([LOCATION], TIME))
add(timeMethods, 'Location', funcOf([], LOCATION))
add(timeMethods, 'ISOWeek', funcOf([], INT, false, 2))
add(timeMethods, 'Zone', funcOf([], STRING, false, 2))
add(timeMethods, 'Date Clock', funcOf([], ANY, false, 3))
add(timeMethods, 'MarshalJSON MarshalText', funcOf([], BYTES, false, 2))

add(durationMethods, 'Hours Minutes Seconds', funcOf([], FLOAT))
add(durationMethods, 'Milliseconds Microseconds Nanoseconds', funcOf([], INT64))
add(durationMethods, 'Round Truncate', funcOf([DURATION], DURATION))
add(durationMethods, 'Abs', funcOf([], DURATION))
add(durationMethods, 'String', funcOf([], STRING))

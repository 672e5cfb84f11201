import type { Fields } from './time.ts'

export const MONTHS = 'January February March April May June July August September October November December'.split(' ')
export const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

/** The elements of Go's layouts, each named by how the reference time 2006-01-02 15:04:05 -0700 MST is written. */
const ELEMENT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|__2|_2(?!006)|3|4|5|PM|pm|[-Z]07(?:0000|:00:00|00|:00|)|[.,](?:0+|9+)(?!\d)/g

/** A layout cut up: literals and elements in turn, beginning and ending with a literal. */
export function cutLayout(layout: string): { literals: string[]; elements: string[] } {
  const literals: string[] = []
  const elements: string[] = []
  let from = 0
  for (const match of layout.matchAll(ELEMENT)) {
    literals.push(layout.slice(from, match.index))
    elements.push(match[0])
    from = match.index + match[0].length
  }
  literals.push(layout.slice(from))
  return { literals, elements }
}

/** `time.Time.Format`. */
export function formatTime(fields: Fields, layout: string): string {
  const { literals, elements } = cutLayout(layout)
  let out = literals[0] as string
  for (const [i, element] of elements.entries()) out += show(element, fields) + literals[i + 1]
  return out
}

const pad = (number: number, width: number, by = '0'): string => String(number).padStart(width, by)

function show(element: string, f: Fields): string {
  const hour12 = f.hour % 12 || 12
  switch (element) {
    case '2006':
      return f.year < 0 ? `-${pad(-f.year, 4)}` : pad(f.year, 4)
    case '06':
      return pad(((f.year % 100) + 100) % 100, 2)
    case 'January':
      return MONTHS[f.month - 1] as string
    case 'Jan':
      return (MONTHS[f.month - 1] as string).slice(0, 3)
    case '1':
      return String(f.month)
    case '01':
      return pad(f.month, 2)
    case 'Monday':
      return DAYS[f.weekday] as string
    case 'Mon':
      return (DAYS[f.weekday] as string).slice(0, 3)
    case '2':
      return String(f.day)
    case '_2':
      return pad(f.day, 2, ' ')
    case '02':
      return pad(f.day, 2)
    case '002':
      return pad(f.yearDay, 3)
    case '__2':
      return pad(f.yearDay, 3, ' ')
    case '15':
      return pad(f.hour, 2)
    case '3':
      return String(hour12)
    case '03':
      return pad(hour12, 2)
    case '4':
      return String(f.minute)
    case '04':
      return pad(f.minute, 2)
    case '5':
      return String(f.second)
    case '05':
      return pad(f.second, 2)
    case 'PM':
      return f.hour >= 12 ? 'PM' : 'AM'
    case 'pm':
      return f.hour >= 12 ? 'pm' : 'am'
    case 'MST':
      return f.abbreviation === '' ? showOffset(f.offset, '00') : f.abbreviation
    default:
      if (element[0] === '.' || element[0] === ',') return showFraction(element, f.nanosecond)
      if (element[0] === 'Z' && f.offset === 0) return 'Z'
      return showOffset(f.offset, element.slice(3))
  }
}

/** @param rest what follows the hours in the layout: ``, `00`, `:00`, `0000`, `:00:00` */
function showOffset(offset: number, rest: string): string {
  const seconds = Math.abs(offset)
  const colon = rest.startsWith(':') ? ':' : ''
  let out = (offset < 0 ? '-' : '+') + pad(Math.floor(seconds / 3600), 2)
  if (rest !== '') out += colon + pad(Math.floor(seconds / 60) % 60, 2)
  if (rest.length > 3) out += colon + pad(seconds % 60, 2)
  return out
}

function showFraction(element: string, nanosecond: number): string {
  const digits = pad(nanosecond, 9).slice(0, element.length - 1)
  if (element[1] === '0') return (element[0] as string) + digits.padEnd(element.length - 1, '0')
  const trimmed = digits.replace(/0+$/, '')
  return trimmed === '' ? '' : (element[0] as string) + trimmed
}

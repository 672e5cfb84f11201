/** Names of offsets (`CET`, `EDT`) from the system's compiled tzdata (TZif, RFC 9636), where there is one. */
import { readFileSync } from 'node:fs'

/** The name in force at `at` (seconds since the epoch), provided that the file, too, says `offset` (seconds) holds then. */
export type Abbreviations = (at: number, offset: number) => string | null

const DIRECTORIES = ['/usr/share/zoneinfo', '/usr/share/lib/zoneinfo', '/etc/zoneinfo']

/** @param name an IANA name without `..`; @returns null when the system has no readable file for it */
export function readAbbreviations(name: string): Abbreviations | null {
  for (const directory of DIRECTORIES) {
    try {
      return parseTzif(readFileSync(`${directory}/${name}`))
    } catch {
      // absent, a directory, or not TZif: the next one, and in the end numbers instead of names
    }
  }
  return null
}

/** @throws RangeError when the file is cut short or not TZif */
export function parseTzif(file: Buffer): Abbreviations {
  if (file.toString('latin1', 0, 4) !== 'TZif') throw new RangeError('not a TZif file')
  const version = file[4] === 0 ? 1 : 2
  // the first block has 32-bit times; from version 2 on a second one with 64-bit times and a footer follows
  const first = readBlock(file, 0, 4)
  const block = version === 1 ? first : readBlock(file, first.end, 8)
  const footer = version === 1 ? '' : (file.toString('latin1', block.end).split('\n')[1] ?? '')
  const later = footerNames(footer)
  const { times, typeOf, types } = block
  return (at, offset) => {
    const index = times.findLastIndex((time) => time <= at)
    if (index === times.length - 1) {
      const named = later.find((name) => name.offset === offset)
      if (named !== undefined) return named.abbreviation
    }
    const type = types[index === -1 ? 0 : (typeOf[index] ?? 0)]
    return type !== undefined && type.offset === offset ? type.abbreviation : null
  }
}

interface Name {
  offset: number
  abbreviation: string
}

function readBlock(file: Buffer, start: number, timeBytes: 4 | 8) {
  const count = (index: number) => file.readUInt32BE(start + 20 + index * 4)
  const [utFlags, standardFlags, leaps, timeCount, typeCount, nameBytes] = [0, 1, 2, 3, 4, 5].map(count) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const timesAt = start + 44
  const indexesAt = timesAt + timeCount * timeBytes
  const typesAt = indexesAt + timeCount
  const namesAt = typesAt + typeCount * 6
  const end = namesAt + nameBytes + leaps * (timeBytes + 4) + standardFlags + utFlags
  if (end > file.length) throw new RangeError('TZif file is cut short')
  const times = Array.from({ length: timeCount }, (_, i) =>
    timeBytes === 4 ? file.readInt32BE(timesAt + i * 4) : Number(file.readBigInt64BE(timesAt + i * 8)),
  )
  const typeOf = Array.from({ length: timeCount }, (_, i) => file.readUInt8(indexesAt + i))
  const types = Array.from({ length: typeCount }, (_, i): Name => {
    const at = namesAt + file.readUInt8(typesAt + i * 6 + 5)
    const zero = file.indexOf(0, at)
    return { offset: file.readInt32BE(typesAt + i * 6), abbreviation: file.toString('latin1', at, zero) }
  })
  return { times, typeOf, types, end }
}

/**
 * The one or two names of the footer's POSIX TZ string, e.g. `EST5EDT,M3.2.0,M11.1.0`. Its rules are not needed: the offset in
 * force is known, and it tells the two apart.
 */
function footerNames(footer: string): Name[] {
  const name = '(<[^>]+>|[A-Za-z]+)'
  const offset = '([+-]?\\d+(?::\\d+){0,2})'
  const [, standard, standardOffset, daylight, daylightOffset] =
    new RegExp(`^${name}${offset}(?:${name}${offset}?)?`).exec(footer) ?? []
  if (standard === undefined || standardOffset === undefined) return []
  const plain = (text: string) => text.replace(/[<>]/g, '')
  const base = -posixSeconds(standardOffset)
  const names = [{ offset: base, abbreviation: plain(standard) }]
  if (daylight !== undefined) {
    const summer = daylightOffset === undefined ? base + 3600 : -posixSeconds(daylightOffset)
    names.push({ offset: summer, abbreviation: plain(daylight) })
  }
  return names
}

/** `5`, `-3:30`: POSIX counts hours west of Greenwich. */
function posixSeconds(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[+-]/, '').split(':').map(Number)
  return (text.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds)
}

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { goTimeString } from './go-time.ts'
import { parseTzif } from './tzdata.ts'
import { loadZone, zoneError } from './zone.ts'

const hasTzdata = existsSync('/usr/share/zoneinfo/America/New_York')
const skip = hasTzdata ? false : 'no /usr/share/zoneinfo on this system'

test('times print as Go prints them', { skip }, () => {
  // printed by Go 1.26: zone, seconds since the epoch, text
  const printed: [string, number, string][] = [
    ['UTC', 1603147800, '2020-10-19 22:50:00 +0000 UTC'],
    ['UTC', 1782000000, '2026-06-21 00:00:00 +0000 UTC'],
    ['UTC', 1797000000, '2026-12-11 14:40:00 +0000 UTC'],
    ['America/New_York', 1603147800, '2020-10-19 18:50:00 -0400 EDT'],
    ['America/New_York', 1782000000, '2026-06-20 20:00:00 -0400 EDT'],
    ['America/New_York', 1797000000, '2026-12-11 09:40:00 -0500 EST'],
    ['Europe/Berlin', 1603147800, '2020-10-20 00:50:00 +0200 CEST'],
    ['Europe/Berlin', 1782000000, '2026-06-21 02:00:00 +0200 CEST'],
    ['Europe/Berlin', 1797000000, '2026-12-11 15:40:00 +0100 CET'],
    ['Europe/Dublin', 1603147800, '2020-10-19 23:50:00 +0100 IST'],
    ['Europe/Dublin', 1782000000, '2026-06-21 01:00:00 +0100 IST'],
    ['Europe/Dublin', 1797000000, '2026-12-11 14:40:00 +0000 GMT'],
    ['Asia/Kolkata', 1603147800, '2020-10-20 04:20:00 +0530 IST'],
    ['Asia/Kolkata', 1782000000, '2026-06-21 05:30:00 +0530 IST'],
    ['Asia/Kolkata', 1797000000, '2026-12-11 20:10:00 +0530 IST'],
    ['Asia/Kathmandu', 1603147800, '2020-10-20 04:35:00 +0545 +0545'],
    ['Asia/Kathmandu', 1782000000, '2026-06-21 05:45:00 +0545 +0545'],
    ['Asia/Kathmandu', 1797000000, '2026-12-11 20:25:00 +0545 +0545'],
    ['America/Sao_Paulo', 1603147800, '2020-10-19 19:50:00 -0300 -03'],
    ['America/Sao_Paulo', 1782000000, '2026-06-20 21:00:00 -0300 -03'],
    ['America/Sao_Paulo', 1797000000, '2026-12-11 11:40:00 -0300 -03'],
    ['Europe/London', 1603147800, '2020-10-19 23:50:00 +0100 BST'],
    ['Europe/London', 1782000000, '2026-06-21 01:00:00 +0100 BST'],
    ['Europe/London', 1797000000, '2026-12-11 14:40:00 +0000 GMT'],
    ['Africa/Casablanca', 1603147800, '2020-10-19 23:50:00 +0100 +01'],
    ['Etc/GMT+5', 1603147800, '2020-10-19 17:50:00 -0500 -05'],
    ['Etc/GMT+5', 1782000000, '2026-06-20 19:00:00 -0500 -05'],
    ['Etc/GMT+5', 1797000000, '2026-12-11 09:40:00 -0500 -05'],
    ['Australia/Lord_Howe', 1603147800, '2020-10-20 09:50:00 +1100 +11'],
    ['Australia/Lord_Howe', 1782000000, '2026-06-21 10:30:00 +1030 +1030'],
    ['Australia/Lord_Howe', 1797000000, '2026-12-12 01:40:00 +1100 +11'],
    ['America/St_Johns', 1603147800, '2020-10-19 20:20:00 -0230 NDT'],
    ['America/St_Johns', 1782000000, '2026-06-20 21:30:00 -0230 NDT'],
    ['America/St_Johns', 1797000000, '2026-12-11 11:10:00 -0330 NST'],
    ['EST5EDT', 1603147800, '2020-10-19 18:50:00 -0400 EDT'],
    ['EST5EDT', 1782000000, '2026-06-20 20:00:00 -0400 EDT'],
    ['EST5EDT', 1797000000, '2026-12-11 09:40:00 -0500 EST'],
    ['US/Eastern', 1603147800, '2020-10-19 18:50:00 -0400 EDT'],
    ['US/Eastern', 1782000000, '2026-06-20 20:00:00 -0400 EDT'],
    ['US/Eastern', 1797000000, '2026-12-11 09:40:00 -0500 EST'],
    ['Asia/Tokyo', 1603147800, '2020-10-20 07:50:00 +0900 JST'],
    ['Asia/Tokyo', 1782000000, '2026-06-21 09:00:00 +0900 JST'],
    ['Asia/Tokyo', 1797000000, '2026-12-11 23:40:00 +0900 JST'],
    ['GMT', 1603147800, '2020-10-19 22:50:00 +0000 GMT'],
    ['GMT', 1782000000, '2026-06-21 00:00:00 +0000 GMT'],
    ['GMT', 1797000000, '2026-12-11 14:40:00 +0000 GMT'],
  ]
  for (const [name, at, text] of printed) assert.equal(goTimeString(at * 1000, loadZone(name)), text)
})

test('fractions lose their trailing zeros, the age of the process keeps nine digits', () => {
  const utc = loadZone('UTC')
  const at = Date.parse('2026-11-22T15:18:15Z')
  assert.equal(goTimeString(at, utc, 1050.126185), '2026-11-22 15:18:15 +0000 UTC m=+1.050126185')
  assert.equal(goTimeString(at + 120, utc, 0), '2026-11-22 15:18:15.12 +0000 UTC m=+0.000000000')
  assert.equal(goTimeString(at + 0.5, utc), '2026-11-22 15:18:15.0005 +0000 UTC')
  assert.equal(goTimeString(at + 999.9999999, utc), '2026-11-22 15:18:16 +0000 UTC')
  assert.equal(goTimeString(at, utc, -1500), '2026-11-22 15:18:15 +0000 UTC m=-1.500000000')
})

test('names that are no zones', () => {
  assert.equal(zoneError('Mars/Olympus'), 'unknown time zone Mars/Olympus')
  assert.equal(zoneError('+05:30'), 'unknown time zone +05:30')
  for (const name of ['BST', 'IST', 'ECT', 'AST', 'PST', 'JST', 'ist', 'SystemV/PST8PDT', 'US/Pacific-New'])
    assert.equal(zoneError(name), `unknown time zone ${name}`)
  for (const name of ['EST', 'CET', 'PRC', 'GB', 'NZ', 'EST5EDT', 'Zulu', 'US/Pacific'])
    assert.equal(zoneError(name), null)
  assert.equal(zoneError('../../etc/passwd'), 'time: invalid location name')
  assert.equal(zoneError('/etc/localtime'), 'time: invalid location name')
  for (const name of ['', 'UTC', 'Local', 'Etc/GMT+5', 'EST5EDT', 'US/Eastern', 'Europe/Kyiv'])
    assert.equal(zoneError(name), null)
  assert.equal(loadZone('Mars/Olympus').name, 'UTC')
})

test('changes of offset are found to the second', () => {
  const berlin = loadZone('Europe/Berlin')
  const spring = Date.parse('2027-03-28T01:00:00Z') / 1000
  const from = Date.parse('2026-12-31T00:00:00Z') / 1000
  assert.equal(berlin.changeBetween(from, spring - 1), null)
  assert.equal(berlin.changeBetween(from, spring), spring)
  assert.equal(berlin.changeBetween(spring, spring + 86_400), null)
  assert.equal(berlin.offsetAt(spring - 1), 3600)
  assert.equal(berlin.offsetAt(spring), 7200)
})

test('without tzdata an offset stands in place of its name', () => {
  // spelled as no file is, so that none is found; ICU does not mind, and its own spelling is tried next
  assert.match(goTimeString(0, loadZone('america/NEW_york')), /-0500 (EST|-05)$/)
})

test('a broken tzdata file is refused, never read beyond its end', { skip }, () => {
  const file = hasTzdata ? readFileSync('/usr/share/zoneinfo/America/New_York') : Buffer.alloc(0)
  assert.equal(parseTzif(file)(1782000000, -14_400), 'EDT')
  assert.equal(parseTzif(file)(1797000000, -18_000), 'EST')
  assert.equal(parseTzif(file)(1782000000, 3600), null)
  for (let length = 0; length < 44; length++) assert.throws(() => parseTzif(file.subarray(0, length)), RangeError)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 })), { maxLength: 40 }),
      (changes) => {
        const broken = Buffer.from(file)
        for (const [at, byte] of changes) broken[at] = byte
        try {
          parseTzif(broken)(1782000000, -14_400)
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error))
        }
      },
    ),
  )
})

test('a slim file has its rule only in the footer, and a POSIX name may stand in brackets', () => {
  assert.equal(parseTzif(tzif('EST5EDT,M3.2.0,M11.1.0'))(0, -14_400), 'EDT')
  assert.equal(parseTzif(tzif('<+1030>-10:30<+11>-11,M10.1.0,M4.1.0'))(0, 39_600), '+11')
  assert.equal(parseTzif(tzif('IST-1GMT0,M10.5.0,M3.5.0/1'))(0, 0), 'GMT')
  assert.equal(parseTzif(tzif('<-03>3'))(0, -10_800), '-03')
  assert.equal(parseTzif(tzif('nonsense'))(0, 0), 'LMT')
})

/** A version 2 file without transitions, with one type `LMT` at offset 0 in the second block. */
function tzif(footer: string): Buffer {
  const header = (types: number, chars: number) => {
    const bytes = Buffer.alloc(44)
    bytes.write('TZif2')
    bytes.writeUInt32BE(types, 36)
    bytes.writeUInt32BE(chars, 40)
    return bytes
  }
  const type = Buffer.alloc(6)
  return Buffer.concat([header(0, 0), header(1, 4), type, Buffer.from('LMT\0'), Buffer.from(`\n${footer}\n`)])
}

/**
 * Texts come from anywhere (payloads, servers, senders): what could move a terminal's cursor, forge a line of the log or turn the order of
 * what stands beside it is written as an escape, `\u001b`.
 */

/** C0, DEL, C1, the line ends of Unicode, marks and overrides of direction, the byte order mark, and halves of surrogate pairs. */
const STEERING = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\p{Cs}]/gu
/** The same, but for line feed and tab. */
const STEERING_A_PAGE = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\p{Cs}]/gu

const escaped = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`

/** One line. Of JSON text the same value: its parser takes the escapes back. */
export const printable = (text: string): string => text.replace(STEERING, escaped)

/** Several lines. */
export const printablePage = (text: string): string => text.replace(STEERING_A_PAGE, escaped)

/** FNV-1a of 32 bits, unsigned (http://www.isthe.com/chongo/tech/comp/fnv): what Go programs mean by `fnv.New32a`. */
export function fnv32a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

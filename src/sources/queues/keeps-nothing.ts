import type { Finding } from '../../source.ts'

/** Said of an entry whose origin keeps nothing for it while no replica is connected, though it could. */
export const keepsNothing = (path: (string | number)[], remedy: string): Finding => ({
  severity: 'advice',
  path,
  message: 'what comes while no replica is connected is lost',
  remedy,
})

/** `auth`: a user and a password, each from a Secret (upstream's BasicAuth). */
import { z } from 'zod'
import { fail, messageOf } from '../../core/errors.ts'
import { secretKeySelector } from '../../source/schemas.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { EntryContext, Finding } from '../../source.ts'

export const basicAuthSchema = z
  .object({
    username: secretKeySelector.optional().describe('The user.'),
    password: secretKeySelector.optional().describe('The password.'),
  })
  .describe('User and password.')
export type BasicAuth = z.output<typeof basicAuthSchema>

export function validateBasicAuth(auth: BasicAuth | undefined, path: string[] = ['auth']): Finding[] {
  if (auth === undefined) return []
  for (const member of ['username', 'password'] as const) {
    if (auth[member] === undefined) {
      const remedy = `name the Secret and the key that hold the ${member}`
      return [{ severity: 'error', path: [...path, member], message: `${member} missing`, remedy }]
    }
  }
  return []
}

/** Read anew at each connection, so that rotation needs no restart. @throws SECRET_MISSING */
export async function readBasicAuth(
  ctx: Pick<EntryContext, 'secret'>,
  auth: BasicAuth | undefined,
): Promise<{ username: string; password: string } | null> {
  if (auth === undefined || auth.username === undefined || auth.password === undefined) return null
  const read = (member: 'username' | 'password') =>
    sentSecret(ctx, auth[member]!).catch((error: unknown) => {
      throw fail('SECRET_MISSING', `${member} not found, ${messageOf(error)}`, {}, { cause: error })
    })
  return { username: await read('username'), password: await read('password') }
}

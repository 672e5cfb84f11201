/** Tokens of the login to Amazon MSK are those of AWS's own signer (test/golden/msk-tokens.jsonl, made by msk-tokens.ts beside it). */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { mskToken } from './msk.ts'

const vectors = readFileSync(new URL('../../../test/golden/msk-tokens.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<'region' | 'token' | Credential, string>)
type Credential = 'accessKeyId' | 'secretAccessKey' | 'sessionToken'

test(`${vectors.length} tokens, byte for byte`, async () => {
  assert.ok(vectors.length > 2)
  for (const { region, token, accessKeyId, secretAccessKey, sessionToken } of vectors) {
    const { searchParams } = new URL(Buffer.from(token, 'base64url').toString())
    const [, year, month, day, hour, minute, second] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(
      searchParams.get('X-Amz-Date')!,
    )!
    const madeAt = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) }
    assert.equal(await mskToken(region, credentials, madeAt, searchParams.get('User-Agent')!), token)
  }
})

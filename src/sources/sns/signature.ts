/** Whether a message was signed by SNS. */
import { verify } from 'node:crypto'
import { fail } from '../../core/errors.ts'
import { fromBase64 } from '../../source/signature.ts'
import type { Certificates } from './certificates.ts'
import { ambiguousMember, type SnsMessage, signedText } from './message.ts'

/** SignatureVersion 1 and 2. */
const ALGORITHMS: Readonly<Record<string, string>> = { '1': 'RSA-SHA1', '2': 'RSA-SHA256' }

/** @throws EVENT_INVALID when it was not; ORIGIN_UNAVAILABLE when that cannot be told now */
export async function verifySignature(message: SnsMessage, certificates: Certificates): Promise<void> {
  const refuse = (why: string) => fail('EVENT_INVALID', why)
  if (message.raw)
    throw refuse('messages of raw delivery carry no signature: turn raw delivery off, or validateSignature')
  const twice = ambiguousMember(message)
  if (twice !== undefined) throw refuse(`message signature check error, ${twice} is there more than once`)
  const algorithm = Object.hasOwn(ALGORITHMS, message.SignatureVersion)
    ? ALGORITHMS[message.SignatureVersion]
    : undefined
  if (algorithm === undefined) throw refuse('message signature check error, unknown SignatureVersion')
  const signature = fromBase64(message.Signature)
  if (signature === null) throw refuse('failed to base64 decode signature, illegal base64 data')
  const { publicKey } = await certificates.get(message.SigningCertURL)
  if (publicKey.asymmetricKeyType !== 'rsa')
    throw refuse('message signature check error, the certificate has no RSA key')
  if (!verify(algorithm, Buffer.from(signedText(message)), publicKey, signature))
    throw refuse('message signature check error, verification error')
}

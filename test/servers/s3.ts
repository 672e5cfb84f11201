/** What tests do to a bucket of MinIO. */
import { createHash, createHmac } from 'node:crypto'
import { MINIO_PASSWORD, MINIO_USER } from './minio.ts'

/** Signed (AWS Signature Version 4). @param path perhaps with one `?name=value`, which needs no escapes @throws when the server refuses */
export async function s3(endpoint: string, method: string, path: string, body: string | Buffer = ''): Promise<string> {
  const now = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = now.slice(0, 8)
  const sha = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')
  const mac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest()
  const headers: Record<string, string> = { host: endpoint, 'x-amz-content-sha256': sha(body), 'x-amz-date': now }
  const names = Object.keys(headers).sort()
  const [plain = '', query = ''] = path.split('?')
  const uri = plain.split('/').map(encodeURIComponent).join('/')
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('')
  const request = `${method}\n${uri}\n${query}\n${lines}\n${names.join(';')}\n${sha(body)}`
  const scope = `${day}/us-east-1/s3/aws4_request`
  const key = ['us-east-1', 's3', 'aws4_request'].reduce(mac, mac(`AWS4${MINIO_PASSWORD}`, day))
  const signature = mac(key, `AWS4-HMAC-SHA256\n${now}\n${scope}\n${sha(request)}`).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${MINIO_USER}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  const answer = await fetch(`http://${endpoint}${uri}${query === '' ? '' : `?${query}`}`, {
    method,
    headers: { ...headers, authorization },
    ...(method === 'GET' || method === 'DELETE' ? {} : { body }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text
}

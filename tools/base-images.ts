/**
 * The base images of the Dockerfile, by digest: `tools/with-node.sh tools/base-images.ts` asks their registries what the tags stand for now and
 * writes it there (`image:tag@sha256:…`); with `--check` it asks nobody, and ends with 1 when an image has no digest, or one that is none. A release begins
 * with it. Another Dockerfile may be named behind.
 */
import { hash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

export interface Image {
  /** `https://…` */
  origin: string
  repository: string
  tag: string
}

const DIGEST = /^sha256:[0-9a-f]{64}$/
const INDEXES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ')

/** Images that the Dockerfile builds on or copies from, as written, and the frontend that it names; its own stages are none. */
export function baseImages(dockerfile: string): string[] {
  const stages = new Set<string>()
  const images: string[] = []
  const add = (image: string) => {
    if (!stages.has(image.toLowerCase()) && !/^\d+$/.test(image)) images.push(image)
  }
  for (const line of dockerfile.replaceAll(/\\\r?\n/g, ' ').split('\n')) {
    const [, frontend] = /^#\s*syntax\s*=\s*(\S+)/i.exec(line) ?? []
    if (frontend !== undefined) add(frontend)
    const [, image, stage] = /^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$/i.exec(line) ?? []
    if (image !== undefined && image !== 'scratch') add(image)
    if (stage !== undefined) stages.add(stage.toLowerCase())
    if (/^\s*(?:COPY|RUN)\s/i.test(line))
      for (const [, from = ''] of line.matchAll(/(?<=\s--\S*?)\bfrom=([^\s,]+)/g)) add(from)
  }
  return images
}

/** Those of them that are not pinned. */
export const withoutDigest = (dockerfile: string): string[] =>
  baseImages(dockerfile).filter((image) => !DIGEST.test(image.split('@')[1] ?? ''))

/** @param image `node:26`, `gcr.io/a/b:tag`; a digest behind it does not count. @throws Error when it has no tag */
export function parseImage(image: string): Image {
  const [name = ''] = image.split('@')
  const [, host, path = '', tag] = /^(?:([^/]+[.:][^/]*)\/)?([^:]+)(?::([\w.-]+))?$/.exec(name) ?? []
  if (tag === undefined) throw new Error(`${image} has no tag: write one`)
  if (host !== undefined) return { origin: `https://${host}`, repository: path, tag }
  return { origin: 'https://registry-1.docker.io', repository: path.includes('/') ? path : `library/${path}`, tag }
}

/** What a tag stands for now: the digest of the index of all platforms, computed from what was sent. @throws Error */
export async function digestOf({ origin, repository, tag }: Image): Promise<string> {
  const url = `${origin}/v2/${repository}/manifests/${tag}`
  const ask = (headers: Record<string, string>) => fetch(url, { headers: { accept: INDEXES, ...headers } })
  let answer = await ask({})
  if (answer.status === 401) {
    const asked = new Map(
      [...(answer.headers.get('www-authenticate') ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [
        name,
        value,
      ]),
    )
    const query = new URLSearchParams({ service: asked.get('service') ?? '', scope: `repository:${repository}:pull` })
    const { token } = (await (await fetch(`${asked.get('realm')}?${query}`)).json()) as { token: string }
    answer = await ask({ authorization: `Bearer ${token}` })
  }
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
  const digest = `sha256:${hash('sha256', Buffer.from(await answer.arrayBuffer()))}`
  const said = answer.headers.get('docker-content-digest')
  if (said !== null && said !== digest) throw new Error(`${url}: its digest is ${digest}, not ${said}`)
  return digest
}

/** The Dockerfile with the digest of each base image. */
export async function pinned(dockerfile: string, digest: (image: Image) => Promise<string>): Promise<string> {
  let text = dockerfile
  for (const image of new Set(baseImages(dockerfile))) {
    const [name = ''] = image.split('@')
    const wanted = `${name}@${await digest(parseImage(image))}`
    text = text.replaceAll(
      new RegExp(`^(FROM\\s+(?:--\\S+\\s+)*)${image.replaceAll(/[.+*?]/g, '\\$&')}(?=\\s|$)`, 'gim'),
      `$1${wanted}`,
    )
  }
  return text
}

if (import.meta.main) {
  const [named] = process.argv.slice(2).filter((one) => !one.startsWith('--'))
  const file = named ?? resolve(import.meta.dirname, '../Dockerfile')
  const before = readFileSync(file, 'utf8')
  const open = withoutDigest(before)
  if (!process.argv.includes('--check')) writeFileSync(file, await pinned(before, digestOf))
  else if (open.length > 0) {
    process.stderr.write(`without a digest: ${open.join(', ')}: run tools/with-node.sh tools/base-images.ts\n`)
    process.exitCode = 1
  }
}

/** What the controller makes of a manifest, and what the kubelet gives to the process of a Pod from it. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { render } from '../../src/controller/render.ts'
import { settingsFrom } from '../../src/controller/settings.ts'
import type { KubeObject } from '../../src/kube/resources.ts'
import { loadManifest } from '../../src/manifest/load.ts'

type Plain = Record<string, any>

export interface RenderedPod {
  /** All that the controller would apply. */
  objects: KubeObject[]
  container: Plain
  env: Record<string, string>
  /** The mounted Secrets, by path below the root. */
  files: Record<string, string>
}

/**
 * The Pod of the first Deployment.
 * @param secrets values by name and key; one that is mounted and not here fails the test
 * @param name of the Pod, whose address is loopback
 */
export async function renderedPod(
  text: string,
  secrets: Record<string, Record<string, string>>,
  name: string,
): Promise<RenderedPod> {
  const { objects } = render(await loadManifest([{ file: 'manifest.yaml', text }]), settingsFrom({}))
  const deployment = objects.find(({ kind }) => kind === 'Deployment') as Plain
  const { containers, volumes } = deployment.spec.template.spec as Plain
  const [container] = containers
  const files: Record<string, string> = {}
  for (const { name: volume, mountPath } of container.volumeMounts) {
    const { secret } = volumes.find((one: Plain) => one.name === volume)
    if (secret === undefined) continue
    const data = secrets[secret.secretName] ?? assert.fail(secret.secretName)
    const items = secret.items ?? Object.keys(data).map((key) => ({ key, path: key }))
    for (const { key, path: file } of items) files[path.join(mountPath, file)] = data[key] ?? assert.fail(key)
  }
  const fields: Record<string, string> = { 'metadata.name': name, 'status.podIP': '127.0.0.1' }
  const env = Object.fromEntries(
    container.env.map(({ name: variable, value, valueFrom }: Plain) => [
      variable,
      value ?? (valueFrom ? fields[valueFrom.fieldRef.fieldPath] : ''),
    ]),
  )
  return { objects, container, env, files }
}

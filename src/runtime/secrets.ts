/** Where the values of Secrets and ConfigMaps come from; read anew at each use, so that rotation needs no restart. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../core/errors.ts'
import type { Redactor } from '../core/redact.ts'
import type { Values } from '../manifest/manifest.ts'
import type { SecretKeySelector } from '../source.ts'

export interface SecretStore {
  /** One trailing newline removed. @throws SECRET_MISSING naming the Secret and key, never a value */
  secret(namespace: string, selector: SecretKeySelector): Promise<string>
  /** @throws SECRET_MISSING */
  configMap(namespace: string, selector: SecretKeySelector): Promise<string>
}

/** A store whose Secrets are hidden in every text from the moment they are read. */
export function hidingSecrets(store: SecretStore, redactor: Pick<Redactor, 'hide'>): SecretStore {
  return {
    async secret(namespace, selector) {
      const value = await store.secret(namespace, selector)
      redactor.hide(value)
      return value
    },
    configMap: (namespace, selector) => store.configMap(namespace, selector),
  }
}

/** What the documents of a manifest hold. */
export interface SecretDocuments {
  secrets: Values[]
  configMaps: Values[]
}

/**
 * Secrets of `vedette run`: documents of the manifest first, then files `DIR/<name>/<key>`.
 * @returns the store, and `update` for when the documents have changed
 */
export function localSecrets({
  dir,
  ...documents
}: SecretDocuments & { dir?: string | undefined }): SecretStore & { update(documents: SecretDocuments): void } {
  let { secrets, configMaps } = documents
  return {
    update(changed) {
      secrets = changed.secrets
      configMaps = changed.configMaps
    },
    async secret(namespace, selector) {
      const inline = valueIn(secrets, namespace, selector)
      if (inline !== undefined) return withoutNewline(inline)
      if (dir !== undefined) return await fromFile(dir, 'Secret', selector)
      throw missing(
        'Secret',
        selector,
        `add the Secret to a manifest file, or pass --secrets DIR with the value in DIR/${selector.name}/${selector.key}`,
      )
    },
    async configMap(namespace, selector) {
      const inline = valueIn(configMaps, namespace, selector)
      if (inline !== undefined) return withoutNewline(inline)
      throw missing('ConfigMap', selector, 'add the ConfigMap to a manifest file')
    },
  }
}

/**
 * Secrets of a Pod: what the kubelet has mounted, as files `<secrets>/<name>/<key>` and `<configMaps>/<name>/<key>`. It writes them
 * anew when they change.
 */
export function mountedSecrets({ secrets, configMaps }: { secrets: string; configMaps: string }): SecretStore {
  return {
    secret: (_, selector) => fromFile(secrets, 'Secret', selector),
    configMap: (_, selector) => fromFile(configMaps, 'ConfigMap', selector),
  }
}

function valueIn(all: Values[], namespace: string, { name, key }: SecretKeySelector): string | undefined {
  const found = all.find((values) => values.namespace === namespace && values.name === name)
  return found !== undefined && Object.hasOwn(found.data, key) ? found.data[key] : undefined
}

async function fromFile(dir: string, kind: 'Secret' | 'ConfigMap', selector: SecretKeySelector): Promise<string> {
  if (
    [selector.name, selector.key].some((part) => part === '' || part === '..' || part === '.' || /[/\\\0]/.test(part))
  ) {
    throw missing(kind, selector, `names and keys of ${kind}s have no slashes`)
  }
  return await readValue(join(dir, selector.name, selector.key), kind, selector)
}

/** One value in a file of its own, a trailing newline removed. @throws SECRET_MISSING naming the file */
export async function readValue(
  file: string,
  kind: 'Secret' | 'ConfigMap',
  selector: SecretKeySelector,
): Promise<string> {
  try {
    return withoutNewline(await readFile(file, 'utf8'))
  } catch (error) {
    throw missing(kind, selector, `${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

const withoutNewline = (text: string): string => (text.endsWith('\n') ? text.slice(0, -1) : text)

function missing(kind: string, { name, key }: SecretKeySelector, remedy: string) {
  return fail('SECRET_MISSING', `${kind} ${name} has no key ${key} here: ${remedy}`, { name, key })
}

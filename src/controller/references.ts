/** The Secrets and ConfigMaps that an object names: each is mounted into its Pods, as upstream does it. */

/** What is known of one Secret or ConfigMap. */
export interface Reference {
  /** In the order found. */
  keys: string[]
  /** True when every reference to it is optional: the Pod starts without it. */
  optional: boolean
}

export interface References {
  secrets: Map<string, Reference>
  configMaps: Map<string, Reference>
}

/**
 * Members whose content is not ours to read: `bucket` is MinIO's `{name, key}`, `resource` an object that a Sensor creates,
 * the others are native structures of Kubernetes without selectors.
 */
const OPAQUE = new Set([
  'bucket',
  'resource',
  'filter',
  'labels',
  'annotations',
  'nodeSelector',
  'affinity',
  'tolerations',
])

/**
 * Finds every `SecretKeySelector` and `ConfigMapKeySelector` (`{name, key, optional?}`; the Kubernetes API's core/v1), which upstream
 * finds by reflection on its types. A selector of a ConfigMap stands under a name that says so (`krbConfigConfigMap`, `configMapKeyRef`).
 */
export function referencesIn(...specs: unknown[]): References {
  const found: References = { secrets: new Map(), configMaps: new Map() }
  for (const spec of specs) visit(spec, [], found)
  return found
}

function visit(value: unknown, path: readonly string[], found: References): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const item of value) visit(item, path, found)
  } else if (isSelector(value)) {
    add(/configmap/i.test(path.at(-1) ?? '') ? found.configMaps : found.secrets, value)
  } else {
    // Under a type stand the names of entries, which may be any word.
    const named = path.length === 1 && path[0] !== 'template'
    for (const [key, below] of Object.entries(value)) {
      if (named || !OPAQUE.has(key)) visit(below, [...path, key], found)
    }
  }
}

interface Selector {
  name: string
  key: string
  optional?: boolean
}

function isSelector(value: object): value is Selector {
  const { name, key, optional, ...others } = value as Record<string, unknown>
  return (
    typeof name === 'string' &&
    name !== '' &&
    typeof key === 'string' &&
    (optional === undefined || optional === null || typeof optional === 'boolean') &&
    Object.keys(others).length === 0
  )
}

function add(map: Map<string, Reference>, { name, key, optional }: Selector): void {
  const known = map.get(name)
  if (known === undefined) map.set(name, { keys: [key], optional: optional === true })
  else {
    if (!known.keys.includes(key)) known.keys.push(key)
    known.optional &&= optional === true
  }
}

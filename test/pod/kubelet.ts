/** What the kubelet makes of a container's `env` and `envFrom` (kubernetes/kubernetes pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables). */

type Plain = Record<string, any>

export interface Sources {
  configMaps?: Record<string, Record<string, string>>
  secrets?: Record<string, Record<string, string>>
  /** What a fieldRef gives, by its path. */
  fields?: Record<string, string>
  /** What is there for Services and by the image, unless the container says otherwise. */
  image?: Record<string, string>
}

/** @throws for a reference that nothing answers */
export function kubeletEnvironment(
  { env = [], envFrom = [] }: Plain,
  { configMaps = {}, secrets = {}, fields = {}, image = {} }: Sources,
): Record<string, string> {
  const found = (kind: Record<string, Record<string, string>>, name: string) => {
    const data = kind[name]
    if (data === undefined) throw new Error(`no ${name}`)
    return data
  }
  const made: Record<string, string> = {}
  for (const { prefix = '', configMapRef, secretRef } of envFrom as Plain[]) {
    const data = configMapRef ? found(configMaps, configMapRef.name) : found(secrets, secretRef.name)
    for (const [key, value] of Object.entries(data)) made[`${prefix}${key}`] = value
  }
  const expanded = (text: string) =>
    text.replace(/\$\$|\$\(([^()]+)\)/g, (all, name?: string) =>
      name === undefined ? '$' : (made[name] ?? image[name] ?? all),
    )
  for (const { name, value, valueFrom } of env as Plain[]) {
    const { fieldRef, secretKeyRef, configMapKeyRef } = valueFrom ?? {}
    if (fieldRef) made[name] = fields[fieldRef.fieldPath] ?? ''
    else if (secretKeyRef) made[name] = found(secrets, secretKeyRef.name)[secretKeyRef.key] ?? ''
    else if (configMapKeyRef) made[name] = found(configMaps, configMapKeyRef.name)[configMapKeyRef.key] ?? ''
    else made[name] = expanded(value ?? '')
  }
  return { ...image, ...made }
}

/**
 * Kubernetes' Pod Security Standards, as of v1.34: what of a Pod the levels *baseline* and *restricted* do not allow. Pure.
 * (https://kubernetes.io/docs/concepts/security/pod-security-standards)
 */

import { quote } from '../core/quote.ts'

type Plain = Record<string, any>

export type Level = 'baseline' | 'restricted'

/** What `--pod-security` of the controller may say. */
export const POD_SECURITY = ['restricted', 'baseline', 'as-written'] as const
export type PodSecurity = (typeof POD_SECURITY)[number]
/**
 * Keeps out what takes a node over, and nothing that an EventSource needs but for `hostPath`. What is deployed when it comes is left alone, so that an exchange stops
 * nothing.
 */
export const DEFAULT_POD_SECURITY: PodSecurity = 'baseline'

/** Why a ServiceAccount is refused, and what to do. */
export const ACCOUNT_REFUSED = {
  why: 'is not among --service-accounts of the controller',
  remedy: 'leave it out, or have it allowed',
}

/** A Pod's template, as far as the standards look at it. */
export interface PodTemplate {
  metadata?: Plain | undefined
  spec: Plain
}

export interface Breach {
  /** Of the Pod: `securityContext.runAsUser`, `containers[0].securityContext.privileged`, `metadata.annotations[…]`. */
  field: string
  value: unknown
  /** The control, by the standards' own name, and the level that has it. */
  control: string
  level: Level
  /** What is allowed instead. */
  allowed: string
}

/** What is wrong, without the field: the same words to whoever validates, and to whoever applies. */
export function breachText({ value, control, level }: Pick<Breach, 'value' | 'control' | 'level'>): string {
  const what = value === undefined ? 'is not set' : `${shown(value)} is not allowed`
  return `${what} (${control}, ${level} level of the Pod Security Standards)`
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  const text = JSON.stringify(value) ?? 'this'
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** In the order of the standards. @param level with *restricted* those of *baseline* too */
export function breaches(template: PodTemplate, level: Level): Breach[] {
  const found = baseline(template)
  return level === 'baseline' ? found : [...found, ...restricted(template)]
}

const CAPABILITIES =
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  )
const SELINUX = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']
const SYSCTLS = [
  ...['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start'],
  ...['net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports'],
  ...['net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl'],
  ...['net.ipv4.tcp_keepalive_probes', 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'],
]
const VOLUMES = 'configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret'.split(' ')
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/'

function baseline({ metadata, spec }: PodTemplate): Breach[] {
  const found: Breach[] = []
  const add = (control: string, field: string, value: unknown, allowed: string) =>
    found.push({ field, value, control, level: 'baseline', allowed })
  for (const [at, context] of contexts(spec)) {
    if (context.windowsOptions?.hostProcess === true)
      add('HostProcess', `${at}.windowsOptions.hostProcess`, true, 'take it out')
  }
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'])
    if (spec[field] === true) add('Host Namespaces', field, true, 'take it out')
  for (const [at, { privileged, capabilities }] of containerContexts(spec)) {
    if (privileged === true) add('Privileged Containers', `${at}.privileged`, true, 'take it out')
    const added = list(capabilities?.add).filter((one) => !CAPABILITIES.includes(one))
    if (added.length > 0)
      add('Capabilities', `${at}.capabilities.add`, added, `take them out, or use those of ${CAPABILITIES.join(', ')}`)
  }
  for (const [i, volume] of list(spec.volumes).entries())
    if (volume?.hostPath != null)
      add('HostPath Volumes', `volumes[${i}].hostPath`, volume.hostPath.path, 'use a PersistentVolumeClaim')
  for (const [i, container] of list(spec.containers).entries())
    for (const [j, port] of list(container?.ports).entries())
      if (port?.hostPort) add('Host Ports', `containers[${i}].ports[${j}].hostPort`, port.hostPort, 'take it out')
  found.push(...profiles(metadata, spec))
  for (const [at, { procMount }] of containerContexts(spec))
    if (procMount !== undefined && procMount !== 'Default')
      add('/proc Mount Type', `${at}.procMount`, procMount, 'take it out')
  for (const [i, sysctl] of list(spec.securityContext?.sysctls).entries())
    if (!SYSCTLS.includes(sysctl?.name))
      add(
        'Sysctls',
        `securityContext.sysctls[${i}].name`,
        sysctl?.name,
        `take it out, or use one of ${SYSCTLS.join(', ')}`,
      )
  return found
}

/** AppArmor, SELinux and seccomp. */
function profiles(metadata: Plain | undefined, spec: Plain): Breach[] {
  const found: Breach[] = []
  const add = (control: string, field: string, value: unknown, allowed: string) =>
    found.push({ field, value, control, level: 'baseline', allowed })
  for (const [key, value] of Object.entries(metadata?.annotations ?? {}))
    if (key.startsWith(APPARMOR) && value !== 'runtime/default' && !text(value).startsWith('localhost/'))
      add('AppArmor', `metadata.annotations["${key}"]`, value, 'take it out')
  for (const [at, { appArmorProfile, seLinuxOptions, seccompProfile }] of contexts(spec)) {
    if (appArmorProfile?.type === 'Unconfined')
      add('AppArmor', `${at}.appArmorProfile.type`, 'Unconfined', 'take it out')
    if (seLinuxOptions != null && !SELINUX.includes(seLinuxOptions.type ?? ''))
      add('SELinux', `${at}.seLinuxOptions.type`, seLinuxOptions.type, `use ${SELINUX.slice(1).join(', ')}`)
    for (const field of ['user', 'role'])
      if (seLinuxOptions?.[field]) add('SELinux', `${at}.seLinuxOptions.${field}`, seLinuxOptions[field], 'take it out')
    if (seccompProfile?.type === 'Unconfined')
      add('Seccomp', `${at}.seccompProfile.type`, 'Unconfined', 'use RuntimeDefault')
  }
  return found
}

function restricted({ spec }: PodTemplate): Breach[] {
  const found: Breach[] = []
  const add = (control: string, field: string, value: unknown, allowed: string) =>
    found.push({ field, value, control, level: 'restricted', allowed })
  for (const [i, volume] of list(spec.volumes).entries()) {
    const other = Object.keys(volume ?? {}).find(
      (key) => key !== 'name' && key !== 'hostPath' && !VOLUMES.includes(key),
    )
    if (other !== undefined) add('Volume Types', `volumes[${i}].${other}`, other, `use one of ${VOLUMES.join(', ')}`)
  }
  const pod = (spec.securityContext ?? {}) as Plain
  for (const [at, context] of containerContexts(spec)) {
    const { allowPrivilegeEscalation, capabilities } = context
    if (allowPrivilegeEscalation !== false)
      add('Privilege Escalation', `${at}.allowPrivilegeEscalation`, allowPrivilegeEscalation, 'write false')
    const user = context.runAsUser ?? pod.runAsUser
    const userAt = context.runAsUser === undefined ? 'securityContext' : at
    if (user === 0) add('Running as Non-root user', `${userAt}.runAsUser`, 0, 'write another number, or leave it out')
    else if ((context.runAsNonRoot ?? pod.runAsNonRoot) !== true)
      add('Running as Non-root', `${at}.runAsNonRoot`, context.runAsNonRoot ?? pod.runAsNonRoot, 'write true')
    if ((context.seccompProfile ?? pod.seccompProfile)?.type === undefined)
      add('Seccomp', `${at}.seccompProfile.type`, undefined, 'write RuntimeDefault')
    if (!list(capabilities?.drop).includes('ALL'))
      add('Capabilities', `${at}.capabilities.drop`, capabilities?.drop, 'write ["ALL"]')
    const added = list(capabilities?.add).filter((one) => one !== 'NET_BIND_SERVICE' && CAPABILITIES.includes(one))
    if (added.length > 0)
      add('Capabilities', `${at}.capabilities.add`, added, 'take them out, but for NET_BIND_SERVICE')
  }
  return found
}

function contexts(spec: Plain): [at: string, context: Plain][] {
  return [['securityContext', (spec.securityContext ?? {}) as Plain], ...containerContexts(spec)]
}

function containerContexts(spec: Plain): [at: string, context: Plain][] {
  return list(spec.containers).map((container, i) => [
    `containers[${i}].securityContext`,
    (container?.securityContext ?? {}) as Plain,
  ])
}

/** Objects are as somebody has written them: any value may stand anywhere. */
const list = (value: unknown): any[] => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/**
 * Defaults that the controller writes into Pods, for the *restricted* Pod Security level, only where the object is silent
 * (https://kubernetes.io/docs/concepts/security/pod-security-standards).
 */

type Context = Record<string, any>

/** A Pod's securityContext. @param containers those of its containers, as given */
export function podSecurity(given: Context | undefined, containers: (Context | undefined)[] = []): Context {
  const asRoot = [given, ...containers].some((context) => context?.runAsUser === 0)
  return { ...(asRoot ? {} : { runAsNonRoot: true }), seccompProfile: { type: 'RuntimeDefault' }, ...given }
}

/** A container's securityContext. */
export function containerSecurity(given: Context | undefined): Context {
  const { add } = given?.capabilities ?? {}
  const added: unknown[] = Array.isArray(add) ? add : []
  // The API refuses these two together with allowPrivilegeEscalation: false.
  const privileged = given?.privileged === true || added.includes('SYS_ADMIN') || added.includes('CAP_SYS_ADMIN')
  return {
    ...(privileged ? {} : { allowPrivilegeEscalation: false }),
    readOnlyRootFilesystem: true,
    ...given,
    capabilities: { drop: ['ALL'], ...given?.capabilities },
  }
}

/** Lets a Pod that is not root listen below 1024: a safe sysctl, allowed at the restricted level. */
export const lowPorts = { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] }

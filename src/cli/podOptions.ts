/** The options of an install that say which Pods its controller makes, and who reaches them. */
import { Option } from 'commander'

export interface PodOptions {
  podSecurity?: string
  serviceAccounts?: string
  networkPolicies?: string
}

export const podSecurityOption = (): Option =>
  new Option('--pod-security <level>', 'of the Pods that objects ask for (default baseline)').choices([
    ...['restricted', 'baseline', 'as-written'],
  ])

export const networkPoliciesOption = (): Option =>
  new Option(
    '--network-policies <switch>',
    'on: let only those reach EventSources and native buses who have to; off: remove them',
  ).choices([...['on', 'off']])

/** Those that are given. */
export function podOptions({ podSecurity, serviceAccounts, networkPolicies }: PodOptions): PodOptions {
  return {
    ...(podSecurity === undefined ? {} : { podSecurity }),
    ...(serviceAccounts === undefined ? {} : { serviceAccounts }),
    ...(networkPolicies === undefined ? {} : { networkPolicies }),
  }
}

/** Objects that our controller leaves as they are, as the plan has said. Pure. */
import type { KubeObject } from '../../kube/resources.ts'
import { POD_SECURITY_REFUSED } from '../podRules.ts'

const LEFT = [
  ...['InvalidEventSource', 'TypeNotSupported', 'EventBusNotFound', 'InvalidSpec', 'NatsStreamingNotSupported'],
  POD_SECURITY_REFUSED,
]

export function isLeft({ status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; reason?: string }[] }
  return conditions.some(({ reason = '' }) => LEFT.includes(reason))
}

/** What is wrong with it, as our controller has written it; undefined: nothing, or it has not looked. */
export const problemOf = ({ status }: KubeObject): string | undefined =>
  (status as { problem?: string } | undefined)?.problem

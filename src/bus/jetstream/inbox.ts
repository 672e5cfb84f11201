/** Where answers to the replicas of one EventSource go: apart from those of others. */
import { safeKey } from '../../clients/nats-kv.ts'
import { type SourceRef, sourceKey } from '../bus.ts'

export const inboxOf = (source: SourceRef): string => `_INBOX.${safeKey(sourceKey(source)).replaceAll('.', '=2e')}`

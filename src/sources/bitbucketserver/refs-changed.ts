/** `repo:refs_changed`: a push with its changes, each of which may become an event, or none. */
import { fail } from '../../core/errors.ts'
import { goJson } from '../../core/json.ts'
import { scanJson } from '../../core/json-scan.ts'

export interface Change {
  /** Where it stands in what Bitbucket sent. */
  index: number
  refType: string
  type: string
  toHash: string
  /** As it was sent. */
  sent: any
}

export interface Push {
  projectKey: string
  repositorySlug: string
  changes: Change[]
  /** As it was sent. */
  sent: any
}

const refuse = (why: string) => fail('EVENT_INVALID', `decoding repo:refs_changed webhook: ${why}`)

/** @throws EVENT_INVALID */
export function parsePush(body: Buffer): Push {
  const { error } = scanJson(body)
  if (error !== null) throw refuse(error)
  const sent: any = JSON.parse(body.toString())
  if (sent === null || typeof sent !== 'object' || Array.isArray(sent)) throw refuse('json: it must be an object')
  const changes = sent.changes ?? []
  if (!Array.isArray(changes)) throw refuse('json: changes must be an array')
  return {
    projectKey: text(sent.repository?.project?.key, 'repository.project.key'),
    repositorySlug: text(sent.repository?.slug, 'repository.slug'),
    changes: changes.map((change, index) => ({
      index,
      refType: text(change?.ref?.type, 'changes.ref.type'),
      type: text(change?.type, 'changes.type'),
      toHash: text(change?.toHash, 'changes.toHash'),
      sent: change,
    })),
    sent,
  }
}

/** Whether Bitbucket must be asked: the change moved a branch to a commit. */
export const movesBranch = ({ refType, type }: Change): boolean => refType === 'BRANCH' && type !== 'DELETE'

/** The body as it was sent, but with these changes only. */
export const withChanges = ({ sent }: Push, changes: readonly Change[]): Buffer =>
  Buffer.from(goJson({ ...sent, changes: changes.map((change) => change.sent) }))

/** The body of one change, as upstream's struct encodes it: its fields, in its order, with zero values for what is missing. */
export function bodyOfChange({ sent }: Push, change: Change): Buffer {
  const { actor, repository } = sent
  const project = repository?.project
  const ref = change.sent?.ref
  return Buffer.from(
    goJson({
      eventKey: text(sent.eventKey, 'eventKey'),
      date: text(sent.date, 'date'),
      actor: {
        name: text(actor?.name, 'actor.name'),
        emailAddress: text(actor?.emailAddress, 'actor.emailAddress'),
        id: whole(actor?.id, 'actor.id'),
        displayName: text(actor?.displayName, 'actor.displayName'),
        active: flag(actor?.active, 'actor.active'),
        slug: text(actor?.slug, 'actor.slug'),
        type: text(actor?.type, 'actor.type'),
        links: { self: links(actor?.links?.self, 'actor.links.self') },
      },
      repository: {
        slug: text(repository?.slug, 'repository.slug'),
        id: whole(repository?.id, 'repository.id'),
        name: text(repository?.name, 'repository.name'),
        hierarchyId: text(repository?.hierarchyId, 'repository.hierarchyId'),
        scmId: text(repository?.scmId, 'repository.scmId'),
        state: text(repository?.state, 'repository.state'),
        statusMessage: text(repository?.statusMessage, 'repository.statusMessage'),
        forkable: flag(repository?.forkable, 'repository.forkable'),
        project: {
          key: text(project?.key, 'repository.project.key'),
          id: whole(project?.id, 'repository.project.id'),
          name: text(project?.name, 'repository.project.name'),
          public: flag(project?.public, 'repository.project.public'),
          type: text(project?.type, 'repository.project.type'),
          links: { self: links(project?.links?.self, 'repository.project.links.self') },
        },
        public: flag(repository?.public, 'repository.public'),
        links: {
          clone: links(repository?.links?.clone, 'repository.links.clone', true),
          self: links(repository?.links?.self, 'repository.links.self'),
        },
      },
      changes: [
        {
          ref: {
            id: text(ref?.id, 'changes.ref.id'),
            displayId: text(ref?.displayId, 'changes.ref.displayId'),
            type: text(ref?.type, 'changes.ref.type'),
          },
          refId: text(change.sent?.refId, 'changes.refId'),
          fromHash: text(change.sent?.fromHash, 'changes.fromHash'),
          toHash: change.toHash,
          type: change.type,
        },
      ],
    }),
  )
}

function text(value: unknown, field: string): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  throw refuse(`json: ${field} must be a string`)
}

function whole(value: unknown, field: string): number {
  if (value === undefined || value === null) return 0
  if (Number.isSafeInteger(value)) return value as number
  throw refuse(`json: ${field} must be an integer`)
}

function flag(value: unknown, field: string): boolean {
  if (value === undefined || value === null) return false
  if (typeof value === 'boolean') return value
  throw refuse(`json: ${field} must be a boolean`)
}

function links(value: unknown, field: string, named = false): object[] | null {
  if (value === undefined || value === null) return null
  if (!Array.isArray(value)) throw refuse(`json: ${field} must be an array`)
  return value.map((link) => ({
    href: text(link?.href, `${field}.href`),
    ...(named ? { name: text(link?.name, `${field}.name`) } : {}),
  }))
}

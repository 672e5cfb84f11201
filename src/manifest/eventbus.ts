/** The EventBus object: which kind of bus it names, and what that kind says of its spec. */

import { choiceIn, definitionOf, eventBusFields, kindsIn, noneNamed } from '../buses/index.ts'
import { quote } from '../core/quote.ts'
import { decode } from './decode.ts'
import type { EventBus } from './manifest.ts'
import type { Notes } from './notes.ts'
import { readHead } from './objects.ts'
import { kindOf, type MapNode, nodeAt } from './tree.ts'

export { eventBusFields }

/** Null when it cannot be told what kind of bus it is; that has been noted. */
export function readEventBus(root: MapNode, notes: Notes): EventBus | null {
  const { name, namespace, labels } = readHead(root, 'EventBus', ['spec', 'status'], notes)
  const node = nodeAt(root, ['spec'])
  if (node !== undefined && node.kind !== 'map' && (node.kind !== 'scalar' || node.value !== null)) {
    notes.add({ severity: 'error', path: ['spec'], message: `must be an object, is ${kindOf(node)}` })
    return null
  }
  const spec = node === undefined ? {} : decode(eventBusFields, node, ['spec'], notes).value
  if (spec === undefined) return null
  const choice = choiceIn(spec)
  if (choice === null) {
    notes.add({ severity: 'error', path: ['spec'], message: noneNamed })
    return null
  }
  for (const named of kindsIn(spec)) {
    if (named !== choice.kind) {
      const message = `is ignored: ${quote(choice.kind)} is used`
      notes.add({ severity: 'warning', path: ['spec', named], message, remedy: 'keep one of them' })
    }
    const { validate } = definitionOf(named)
    for (const finding of validate?.(spec[named]) ?? []) {
      notes.add({ ...finding, path: ['spec', named, ...finding.path] })
    }
  }
  return { namespace, name, labels, ...choice, place: notes.place(['metadata', 'name']) }
}

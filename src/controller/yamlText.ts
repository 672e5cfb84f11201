import { stringify } from 'yaml'
import type { KubeObject } from '../kube/resources.ts'

/** Objects as documents of one file. Quoted for readers of YAML 1.1, as kubectl is one (`"y"`, `"on"`). */
export function yamlText(objects: readonly KubeObject[]): string {
  return objects
    .map((object) => `---\n${stringify(object, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false })}`)
    .join('')
}

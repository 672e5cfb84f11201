import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cli } from '../../test/local/program.ts'
import { version } from '../local/version.ts'
import { plainValue } from '../manifest/tree.ts'
import { parseYaml } from '../manifest/yaml.ts'

/** Images of the controller, and of what it makes. */
function imagesIn(yaml: string): string[] {
  const objects = parseYaml(yaml).documents.map(plainValue) as Record<string, any>[]
  const [container] = objects.find(({ kind }) => kind === 'Deployment')!.spec.template.spec.containers
  return [container.image, container.env.find(({ name }: { name: string }) => name === 'VEDETTE_IMAGE').value]
}

test('manifests names the image of this version and says that it is in no registry, or the one that it is told', async () => {
  const own = `vedette:${version()}`
  const silent = await cli('manifests')
  assert.deepEqual(imagesIn(silent.stdout), [own, own])
  assert.equal(
    silent.stderr,
    `# the image is ${own}, which is in no registry: load it on the nodes, or name yours by --image\n`,
  )
  const image = 'registry.example/vedette@sha256:0123'
  for (const scope of [[], ['--namespaced']]) {
    const told = await cli('manifests', ...scope, '--image', image)
    assert.deepEqual(imagesIn(told.stdout), [image, image])
    assert.equal(told.stderr, '')
  }
})

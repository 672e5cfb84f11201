/** The images that Argo Events' objects name, for nodes without a registry: real NATS, and stand-ins for all else. */
import { join } from 'node:path'
import { installed } from '../../servers/cache.ts'
import { electorBinary } from '../../servers/client-go.ts'
import { DIR } from '../../servers/kubernetes/build.ts'
import { layerOfPrograms, nodeLayer, sourceLayer, writeImage } from '../../servers/kubernetes/images.ts'
import { natsBinary } from '../../servers/nats.ts'
import { THEIR_IMAGE } from '../argo-events.ts'
import { ELECTOR } from './election.ts'

const NATS = ['docker.io/library/nats:2.10.29', 'registry.corp/nats:2.10.29']
/** The config-reloader and the exporter of metrics, which only stay alive. */
const SIDECARS = [
  ...['docker.io/natsio/nats-server-config-reloader:0.14.0', 'docker.io/natsio/prometheus-nats-exporter:0.14.0'],
  ...['registry.corp/reloader:1', 'registry.corp/exporter:1'],
]

/** @param dir where the archives are written. @returns them */
export async function theirImages(dir: string): Promise<string[]> {
  const program = join(dir, 'theirs.tar')
  const elector = join(dir, 'elector.layer')
  layerOfPrograms(elector, { [ELECTOR]: electorBinary()! })
  await writeImage(program, {
    names: [THEIR_IMAGE],
    layers: [nodeLayer(), elector, sourceLayer(join(dir, 'theirs.layer'), 'src', 'test/controller/theirs')],
    entrypoint: ['/app/node', '/app/test/controller/theirs/main.ts'],
  })
  const nats = await imageOf(dir, 'nats', NATS, { '/nats-server': natsBinary('argo')! })
  const sidecars = await imageOf(dir, 'pause', SIDECARS, { '/pause': installed(DIR, 'pause')! })
  return [program, nats, sidecars]
}

async function imageOf(dir: string, name: string, names: string[], programs: Record<string, string>): Promise<string> {
  const [layer, file] = [join(dir, `${name}.layer`), join(dir, `${name}-image.tar`)]
  layerOfPrograms(layer, programs)
  await writeImage(file, { names, layers: [layer], entrypoint: Object.keys(programs) })
  return file
}

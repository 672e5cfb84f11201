import type { Command } from 'commander'
import { createOutput } from './output.ts'
import { networkPoliciesOption, podSecurityOption } from './podOptions.ts'

interface Options {
  namespaced?: boolean
  namespace?: string
  image?: string
  imagePullPolicy?: string
  sensorImage?: string
  podSecurity?: string
  serviceAccounts?: string
  networkPolicies?: string
  crds?: boolean
  dir?: string
}

export default function register(program: Command): void {
  program
    .command('manifests')
    .description('print what installs Vedette in Kubernetes: CRDs, roles, controller')
    .option('--namespaced', 'for one namespace only, with no right beyond it')
    .option('--namespace <name>', 'where the controller runs (default argo-events)')
    .option('--image <image>', 'image of the controller and of EventSource Pods (default vedette:<this version>)')
    .option('--image-pull-policy <policy>', 'Always, IfNotPresent or Never')
    .option('--sensor-image <image>', "Argo Events' image, for Sensor Pods")
    .addOption(podSecurityOption())
    .option('--service-accounts <names>', 'that Pods may run as beside default: name or namespace/name, with commas')
    .addOption(networkPoliciesOption())
    .option('--crds', 'the CRDs alone')
    .option('--dir <dir>', 'write install.yaml, namespace-install.yaml and the Helm chart there')
    .addHelpText(
      'after',
      '\nExamples:\n  vedette manifests --image registry.example/vedette:0.1.0 | kubectl apply --server-side -f -\n' +
        '  vedette manifests --namespaced --namespace team-a | kubectl apply --server-side -f -\n  vedette manifests --dir deploy',
    )
    .action(manifests)
}

async function manifests({ dir, crds: onlyCrds = false, ...options }: Options): Promise<void> {
  const registry = await import('../sources/index.ts')
  const definitions = (await Promise.all(registry.types.map(registry.loadSource))).filter((one) => one !== null)
  if (dir !== undefined) {
    const [{ installFiles }, { mkdir, writeFile }, path] = await Promise.all([
      import('../controller/install/files.ts'),
      import('node:fs/promises'),
      import('node:path'),
    ])
    for (const [file, text] of installFiles(definitions)) {
      await mkdir(path.dirname(path.join(dir, file)), { recursive: true })
      await writeFile(path.join(dir, file), text)
    }
    return
  }
  const [{ install }, { crds }, { yamlText }, { defaultImage }] = await Promise.all([
    import('../controller/install/install.ts'),
    import('../controller/install/crds.ts'),
    import('../controller/yamlText.ts'),
    import('../controller/settings.ts'),
  ])
  const output = createOutput(process.stdout)
  await output.write(yamlText(onlyCrds ? crds(definitions) : install({ definitions, ...options })))
  await output.flush()
  if (!onlyCrds && options.image === undefined)
    process.stderr.write(
      `# the image is ${defaultImage()}, which is in no registry: load it on the nodes, or name yours by --image\n`,
    )
}

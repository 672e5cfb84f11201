import type { Command } from 'commander'
import type { KubeObject } from '../kube/resources.ts'
import { type ClusterOptions, openExchange, showPlan, withCluster } from './exchange.ts'

interface Options extends ClusterOptions {
  dryRun?: boolean
  manifest?: string
  back?: boolean
}

export default function register(program: Command): void {
  const migrate = program
    .command('migrate')
    .description("exchange Argo Events' controller for ours, and back, object by object")
    .addHelpText(
      'after',
      '\nThe cluster is that of KUBECONFIG, with your own rights. A plan that has a refusal ends with 1, and so does apply: mend it, or accept it by its\n' +
        'word. apply and back may be interrupted and given again.\n\nExamples:\n  vedette migrate plan\n' +
        '  vedette migrate apply --image registry.example/vedette:0.1.0\n  vedette migrate plan --back\n  vedette migrate back\n' +
        '  vedette migrate back --manifest https://raw.githubusercontent.com/argoproj/argo-events/stable/manifests/install.yaml',
    )
  withCluster(migrate.command('plan').description('say what would happen to each object, and what it may lose'))
    .option('--back', 'of the way back')
    .option('--manifest <file>', "Argo Events' own manifests, a file or URL, for the way back")
    .action((options: Options) =>
      options.back === true ? back({ ...options, dryRun: true }) : apply({ ...options, dryRun: true }),
    )
  withCluster(migrate.command('apply').description("put ours in the place of Argo Events' controller"))
    .option('--dry-run', 'the same as plan')
    .action(apply)
  withCluster(migrate.command('back').description("put Argo Events' controller in the place of ours"))
    .option('--dry-run', 'the same as plan --back')
    .option('--manifest <file>', "Argo Events' own manifests, a file or URL (default: what apply has put aside)")
    .action(back)
}

async function apply(options: Options): Promise<void> {
  const [{ planExchange }, { applyExchange }, { settingsFrom }, { loadSource }] = await Promise.all([
    import('../controller/migrate/plan.ts'),
    import('../controller/migrate/apply.ts'),
    import('../controller/settings.ts'),
    import('../sources/index.ts'),
  ])
  const { client, snapshot, target, work } = await openExchange(options)
  try {
    const settings = settingsFrom({
      ...{ VEDETTE_IMAGE: options.image, ARGO_EVENTS_IMAGE: options.sensorImage, NAMESPACE: target.home },
      ...{ POD_SECURITY: options.podSecurity, SERVICE_ACCOUNTS: options.serviceAccounts },
    })
    const steps = await planExchange(snapshot, { ...target, settings, load: loadSource })
    const refused = await showPlan(steps, options)
    if (refused.length > 0) process.exitCode = 1
    else if (options.dryRun !== true) await applyExchange(work, snapshot, target)
  } finally {
    await client.close()
  }
}

async function back(options: Options): Promise<void> {
  const [{ planBack }, { goBack }, { loadSource }] = await Promise.all([
    import('../controller/migrate/back.ts'),
    import('../controller/migrate/goBack.ts'),
    import('../sources/index.ts'),
  ])
  const { client, snapshot, target, work } = await openExchange(options)
  try {
    const manifest = options.manifest === undefined ? null : await readManifest(options.manifest, target.home)
    const steps = await planBack(snapshot, { manifest, load: loadSource })
    const refused = await showPlan(steps, options)
    if (refused.length > 0) process.exitCode = 1
    else if (options.dryRun !== true) await goBack(work, snapshot, { ...target, manifest })
  } finally {
    await client.close()
  }
}

/**
 * Objects of a file or URL; what names no namespace is put into `home`, as `kubectl -n` does. Also of a list as `kubectl get -o yaml` writes it.
 * @throws MANIFEST_INVALID; SPEC_INVALID for a kind that is not applied here
 */
async function readManifest(from: string, home: string): Promise<KubeObject[]> {
  const [{ parseYaml }, { plainValue }, { asMade }, { resourceFor }, { fail, messageOf }, { readFile }] =
    await Promise.all([
      import('../manifest/yaml.ts'),
      import('../manifest/tree.ts'),
      import('../controller/migrate/backup.ts'),
      import('../controller/migrate/work.ts'),
      import('../core/errors.ts'),
      import('node:fs/promises'),
    ])
  const read = async (): Promise<string> => {
    if (!/^https?:/.test(from)) return await readFile(from, 'utf8')
    const answer = await fetch(from)
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
    return await answer.text()
  }
  const text = await read().catch((error) => {
    throw fail('MANIFEST_INVALID', `${from} cannot be read: ${messageOf(error)}`)
  })
  const { documents, problems } = parseYaml(text)
  if (problems.length > 0) throw fail('MANIFEST_INVALID', `${from}: ${problems[0]!.message}`)
  const objects = documents.map(plainValue).flatMap((object, i) => {
    if (object === null) return []
    const { kind, items } = object as { kind?: unknown; items?: unknown[] }
    return (kind === 'List' && Array.isArray(items) ? items : [object]).map((one) => {
      if (isObject(one)) return one
      throw fail(
        'MANIFEST_INVALID',
        `${from}: document ${i + 1} is no object of Kubernetes: give Argo Events' own install.yaml`,
      )
    })
  })
  return objects.map((object) => {
    const here = resourceFor(object).namespaced && object.metadata.namespace === undefined
    return asMade(here ? { ...object, metadata: { ...object.metadata, namespace: home } } : object)
  })
}

function isObject(value: unknown): value is KubeObject {
  const { apiVersion, kind, metadata } = (value ?? {}) as Partial<KubeObject>
  return typeof apiVersion === 'string' && typeof kind === 'string' && typeof metadata?.name === 'string'
}
